"""What a definition holds, and what a change of it may not do."""

from datetime import date
from uuid import NAMESPACE_URL, uuid5

from ticket.definition import (
    ClassTerms,
    FareRule,
    PlannedTrain,
    StationName,
    StopTimes,
    altered_coaches,
    has_same_stations,
    head_of,
    plan_of,
    run_id_of,
)
from ticket.sales import regular_sales
from ticket.seatplan import CoachPlan

SERVICE_DATE = date(2026, 11, 25)
COACH = CoachPlan(1, "KA", "ক", "S_CHAIR", 2, 2, 2)


def planned(**changes) -> PlannedTrain:
    content = {
        "train_number": "742",
        "name": "Turna",
        "name_bn": "তূর্ণা",
        "zone": "east",
        "timezone": "Asia/Dhaka",
        "currency": "BDT",
        "stops": (StopTimes("DHK", None, 1410), StopTimes("CTG", 1720, None)),
        "coaches": (COACH,),
        "fares": (FareRule("S_CHAIR", "DHK", "CTG", 40_500, 0),),
        "station_names": {"DHK": StationName("Dhaka", ""), "CTG": StationName("Chattogram", "")},
        "classes": {"S_CHAIR": ClassTerms("S_CHAIR", "Shovan Chair", "", "other")},
    }
    return PlannedTrain(**{**content, **changes})


def head(train: PlannedTrain) -> dict:
    sales = regular_sales(
        SERVICE_DATE, zone="east", timezone="Asia/Dhaka", leaves_at=train.leaves_at(SERVICE_DATE)
    )
    return head_of(
        train, SERVICE_DATE, version=1, state="scheduled", sales=sales, online_charge_minor=2_000
    )


def test_run_id_follows_from_the_train_and_the_date():
    expected = uuid5(NAMESPACE_URL, "railgate:run:742:2026-11-25")
    assert run_id_of("742", SERVICE_DATE) == expected


def test_night_train_arrives_on_the_next_day():
    stops = head(planned())["stops"]
    assert stops[0]["arrives_at"] is None
    assert stops[0]["departs_at"] == "2026-11-25T17:30:00Z"
    assert stops[1]["arrives_at"] == "2026-11-25T22:40:00Z"
    assert stops[1]["departs_at"] is None


def test_fare_of_a_class_without_a_coach_or_against_the_direction_is_not_on_sale():
    fares = (
        FareRule("S_CHAIR", "DHK", "CTG", 40_500, 0),
        FareRule("SNIGDHA", "DHK", "CTG", 80_000, 0),
        FareRule("S_CHAIR", "CTG", "DHK", 40_500, 0),
        FareRule("S_CHAIR", "DHK", "RAJ", 40_500, 0),
    )
    assert plan_of(planned(fares=fares))["fares"] == [
        {
            "seat_class": "S_CHAIR",
            "from_sequence": 0,
            "to_sequence": 1,
            "price_minor": 40_500,
            "vat_minor": 0,
        }
    ]


def test_another_coach_harms_nobody():
    longer = planned(coaches=(COACH, CoachPlan(2, "KHA", "খ", "S_CHAIR", 2, 2, 2)))
    assert altered_coaches(plan_of(planned()), plan_of(longer)) == []


def test_coach_that_is_gone_or_different_is_told():
    changed = planned(coaches=(CoachPlan(1, "KA", "ক", "S_CHAIR", 1, 2, 2),))
    assert altered_coaches(plan_of(planned()), plan_of(changed)) == [1]
    assert altered_coaches(plan_of(planned()), plan_of(planned(coaches=()))) == [1]


def test_other_times_keep_the_stations():
    later = planned(stops=(StopTimes("DHK", None, 1420), StopTimes("CTG", 1730, None)))
    assert has_same_stations(head(planned()), head(later))
