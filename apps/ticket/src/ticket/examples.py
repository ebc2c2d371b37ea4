"""What the API's description shows: one train of Bangladesh Railway on one day."""

from typing import Any

RUN_ID = "00c29b1e-6c42-5a3c-8d6c-8ad9d2b0a3b4"

STATION: dict[str, Any] = {
    "station_code": "CTG",
    "name": "Chattogram",
    "name_bn": "চট্টগ্রাম",
    "latitude": 22.3352,
    "longitude": 91.8246,
    "zone": "east",
    "timezone": None,
}
STATIONS = {"stations": [STATION]}

SEAT_CLASS = {
    "seat_class": "SNIGDHA",
    "name": "Snigdha",
    "name_bn": "স্নিগ্ধা",
    "refund_category": "ac",
}
SEAT_CLASSES = {"seat_classes": [SEAT_CLASS]}

TRAINS: dict[str, Any] = {
    "trains": [
        {
            "train_number": "702",
            "name": "Subarna Express",
            "name_bn": "সুবর্ণ এক্সপ্রেস",
            "running_days": "234567",
            "zone": "east",
            "valid_from": None,
            "valid_until": None,
            "from_code": "DA",
            "to_code": "CTG",
        }
    ]
}

COACH = {
    "coach_number": 1,
    "letter": "KA",
    "letter_bn": "ক",
    "seat_class": "SNIGDHA",
    "rows": 15,
    "left_seats": 2,
    "right_seats": 2,
}

_STOPS: list[dict[str, Any]] = [
    {"station_code": "DA", "arrives_minute": None, "departs_minute": 990},
    {"station_code": "CTG", "arrives_minute": 1285, "departs_minute": None},
]
_NAMES: list[dict[str, Any]] = [
    {"sequence": 0, "station_code": "DA", "name": "Dhaka", "name_bn": "ঢাকা"},
    {"sequence": 1, "station_code": "CTG", "name": "Chattogram", "name_bn": "চট্টগ্রাম"},
]

TRAIN = {
    **TRAINS["trains"][0],
    "timezone": "Asia/Dhaka",
    "currency": "BDT",
    "stops": [{**name, **stop} for name, stop in zip(_NAMES, _STOPS, strict=True)],
    "coaches": [COACH],
}

SALES = {"opens_at": "2026-11-15T08:00:00Z", "closes_at": "2026-11-25T10:30:00Z"}
LEAVES_AT, ARRIVES_AT = "2026-11-25T10:30:00Z", "2026-11-25T15:25:00Z"

FOUND_RUNS = {
    "runs": [
        {
            "run_id": RUN_ID,
            "train_number": "702",
            "train_name": "Subarna Express",
            "train_name_bn": "সুবর্ণ এক্সপ্রেস",
            "service_date": "2026-11-25",
            "state": "scheduled",
            "from": {**_NAMES[0], "departs_at": LEAVES_AT},
            "to": {**_NAMES[1], "arrives_at": ARRIVES_AT},
            "duration_minutes": 295,
            "sales": {"state": "open", **SALES},
            "classes": [
                {
                    "seat_class": "SNIGDHA",
                    "name": "Snigdha",
                    "name_bn": "স্নিগ্ধা",
                    "seats_total": 60,
                    "price_minor": 85_500,
                    "vat_minor": 11_200,
                    "currency": "BDT",
                }
            ],
        }
    ]
}

DEFINITION: dict[str, Any] = {
    "run_id": RUN_ID,
    "version": 1,
    "state": "scheduled",
    "train_number": "702",
    "train_name": "Subarna Express",
    "train_name_bn": "সুবর্ণ এক্সপ্রেস",
    "service_date": "2026-11-25",
    "timezone": "Asia/Dhaka",
    "currency": "BDT",
    "sales": SALES,
    "online_charge_minor": 2_000,
    "stops": [
        {**_NAMES[0], "arrives_at": None, "departs_at": LEAVES_AT},
        {**_NAMES[1], "arrives_at": ARRIVES_AT, "departs_at": None},
    ],
    "seat_classes": [SEAT_CLASS],
    "coaches": [
        {
            "coach_number": 1,
            "letter": "KA",
            "letter_bn": "ক",
            "seat_class": "SNIGDHA",
            "seats": [{"seat_id": 1001, "number": "1", "row": 1, "column": 1, "is_window": True}],
        }
    ],
    "fares": [
        {
            "seat_class": "SNIGDHA",
            "from_sequence": 0,
            "to_sequence": 1,
            "price_minor": 85_500,
            "vat_minor": 11_200,
        }
    ],
}

RUN_CHANGES = {
    "changes": [
        {
            "cursor": 4711,
            "run_id": RUN_ID,
            "version": 2,
            "state": "cancelled",
            "changed_at": "2026-11-24T06:00:00Z",
        }
    ],
    "next_after": 4711,
}

OPENINGS = {
    "openings": [
        {"opens_at": "2026-11-20T08:00:00Z", "runs": [{"run_id": RUN_ID, "seats_total": 1_375}]}
    ]
}

STAFF_TRAIN = {
    "name": "Subarna Express",
    "name_bn": "সুবর্ণ এক্সপ্রেস",
    "zone": "east",
    "running_days": "234567",
    "stops": _STOPS,
}
COACH_PLAN = {"from_date": "2026-12-10", "coaches": [COACH]}
FARES = {
    "from_date": "2026-12-10",
    "fares": [
        {
            "seat_class": "SNIGDHA",
            "from_code": "DA",
            "to_code": "CTG",
            "price_minor": 85_500,
            "vat_minor": 11_200,
        }
    ],
}
OUTCOME = {"from_date": "2026-12-10", "runs_changed": 0}

STAFF_RUN = {"train_number": "702", "service_date": "2026-11-30"}
RUN_OUTCOME: dict[str, Any] = {
    "run_id": RUN_ID,
    "version": 1,
    "state": "scheduled",
    "cancellation_reason": None,
}
CANCELLATION = {"reason": "The line is flooded near Feni."}
CANCELLED_RUN = {
    **RUN_OUTCOME,
    "version": 2,
    "state": "cancelled",
    "cancellation_reason": CANCELLATION["reason"],
}

SALES_WINDOW = {
    "zone": "west",
    "from_date": "2026-12-01",
    "until_date": "2026-12-04",
    "opens_at": "2026-11-21T04:00:00Z",
}
WINDOW_OUTCOME = {"sales_window_id": "7a0e3c1c-5d52-4f0e-9d1b-0d7c3a1f9e55", "runs_changed": 180}

STAFF_CHANGES = {
    "changes": [
        {
            "change_id": 12,
            "account_id": "f0f7c2b5-14a6-4a6d-8bb8-7d8c6b1f5a10",
            "email": "staff@railgate.example",
            "changed_at": "2026-11-24T06:00:00Z",
            "kind": "run_cancellation",
            "subject": RUN_ID,
            "before": {"state": "scheduled"},
            "after": {"state": "cancelled", "reason": CANCELLATION["reason"]},
        }
    ]
}
