"""What is read by hand on the hot path is what the schema reads; what is in doubt is left to it."""

import copy
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from order.schemas import ORDER_WISH
from order.wish import Wish, WishedPassenger, plain_wish

RUN = "5a8f0d7e-3e9c-5d7b-9c53-0c7a7d0e4a11"
PASSENGER = {"name": "রহিমা Khatun", "identity_kind": "nid", "identity_number": "19901234567"}
BY_SEAT = {"run_id": RUN, "from": "DA", "to": "CTG", "passengers": [PASSENGER], "seat_ids": [1001]}
BY_CLASS = {k: v for k, v in BY_SEAT.items() if k != "seat_ids"} | {"seat_class": "S_CHAIR"}

odd = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2_000_000), st.floats(allow_nan=False),
    st.text(max_size=30), st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(), st.none(), max_size=1),
)  # fmt: skip
near = {
    "run_id": st.sampled_from([RUN, RUN.upper(), RUN.replace("-", ""), f"{{{RUN}}}", f" {RUN}"]),
    "from": st.sampled_from(["DA", "da", " DA", "DA\n", "", "ঢাকা", "A" * 8, "A" * 9, "D\u0000A"]),
    "seat_ids": st.lists(st.integers(-1, 1_000_001) | st.booleans(), max_size=22),
    "seat_class": st.sampled_from(["S_CHAIR", "s", "", " S", "S" * 16, "S" * 17, "S\u200d"]),
    "name": st.text(max_size=101) | st.sampled_from([" A", "A ", "A\u00a0", "\u2028", "A\u200db"]),
    "identity_kind": st.sampled_from(["nid", "passport", "birth_certificate", "NID", "", " nid"]),
    "identity_number": st.from_regex(r"[0-9A-Za-z -]{3,27}\n?", fullmatch=True)
    | st.sampled_from(["১২৩৪৫৬", "12345\n", "12345é"]),
}
near["to"] = near["from"]


@st.composite
def bodies(draw):
    """A sound wish with up to three members changed, left out or added."""
    body = copy.deepcopy(draw(st.sampled_from([BY_SEAT, BY_CLASS])))
    for _ in range(draw(st.integers(0, 3))):
        within = body["passengers"] if isinstance(body.get("passengers"), list) else []
        targets = [body, *(passenger for passenger in within if isinstance(passenger, dict))]
        target = draw(st.sampled_from(targets))
        name = draw(st.sampled_from([*near, "passengers", "extra"]))
        change = draw(st.sampled_from(["near", "odd", "leave", "repeat"]))
        if change == "leave":
            target.pop(name, None)
        elif change == "repeat":
            body["passengers"] = [copy.deepcopy(PASSENGER)] * draw(st.integers(0, 22))
        else:
            target[name] = draw(near.get(name, odd) if change == "near" else odd)
    return body


@settings(max_examples=600, deadline=None)
@given(bodies())
def test_what_is_a_plain_wish_is_the_same_wish_to_the_schema(body):
    found = plain_wish(body)
    if found is not None:
        assert ORDER_WISH.load(body) == found


@settings(max_examples=300, deadline=None)
@given(bodies())
def test_what_the_schema_refuses_is_no_plain_wish(body):
    if ORDER_WISH.validate(body):
        assert plain_wish(body) is None


@pytest.mark.parametrize("body", [BY_SEAT, BY_CLASS])
def test_the_usual_wish_is_plain(body):
    found = plain_wish(body)
    assert found == ORDER_WISH.load(body)
    assert found == Wish(
        UUID(RUN),
        "DA",
        "CTG",
        (WishedPassenger(**PASSENGER),),
        tuple(body.get("seat_ids", ())),
        body.get("seat_class", ""),
    )
    assert found.canonical() == ORDER_WISH.load(body).canonical()
