"""
Claims under any sequence of events, against a model of who keeps which seat since when: what the
model says must be sold is sold, what it says is kept by somebody is refused, and money stays right.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, precondition, rule

from chassis.application import utc_now
from chassis.problems import Problem
from order import cancelling, operations, settlement
from order.run import Leg
from order.wish import Wish

SEATS = range(1001, 1006)
STATIONS = ("AAA", "BBB", "CCC", "DDD", "EEE")
PINNED_AT_MOST = timedelta(minutes=10)
LEGS = st.tuples(st.integers(0, 3), st.integers(1, 4)).filter(lambda leg: leg[0] < leg[1])
TRAVELLERS = st.lists(st.integers(0, 11), min_size=1, max_size=4, unique=True)


@dataclass
class Known:
    """What the model says about one order; `state` is what the database has written down."""

    order_id: UUID
    buyer: object
    wish: Wish
    leg: Leg
    seat_ids: list[int]
    travellers: frozenset[int]
    amount_minor: int
    created_at: datetime
    expires_at: datetime
    state: str = "held"
    payment_id: UUID | None = None
    payments: list[UUID] = field(default_factory=list)

    def is_live(self, now):
        return self.state in {"held", "paying"} and self.expires_at > now

    def keeps_seats(self, now):
        return self.state == "confirmed" or self.is_live(now)


class Claims(stateful.RuleBasedStateMachine):
    orders = Bundle("orders")

    def __init__(self, parts, people, catalogue, stored):
        super().__init__()
        self.parts, self.people, self.catalogue = parts, people, catalogue
        self.stored = stored
        self.parts.chance.seed(0)
        # Ahead of the real clock, which the snapshot's query reads, so that it never overtakes.
        self.now = utc_now() + timedelta(hours=1)
        self.known: dict[UUID, Known] = {}
        self.refunds: dict[UUID, int] = {}
        self.travellers = [people.passenger() for _ in range(12)]
        self.run_id = catalogue.add_run(seats=len(SEATS))

    def teardown(self):
        """What this example leaves held shall not be swept by the next one."""
        operations.sweep_lapsed(now=self.now + timedelta(days=1), limit=1_000)

    # What happens.

    @rule(target=orders, leg=LEGS, who=TRAVELLERS, first=st.integers(0, 4))
    def place_named(self, leg, who, first):
        seat_ids = [SEATS[(first + n) % len(SEATS)] for n in range(len(who))]
        return self._place(Leg(*leg), who, seat_ids=tuple(seat_ids))

    @rule(target=orders, leg=LEGS, who=TRAVELLERS)
    def place_any(self, leg, who):
        return self._place(Leg(*leg), who, seat_class="S")

    @rule(known=orders)
    def place_again(self, known):
        expected = self._refusal_of(known.leg, known.wish, known.travellers, own=known)
        if known.wish.run_id != self.run_id:
            expected = "sales_closed"
        came = self._try(
            operations.place_order,
            parts=self.parts, order_id=known.order_id, buyer=known.buyer, wish=known.wish,
        )  # fmt: skip
        if expected:
            assert came == expected
        else:
            assert not came.is_new
            if self._has_lapsed(known):
                known.state = "expired"
            assert came.record["amount_minor"] == known.amount_minor
            assert [p["seat_id"] for p in came.record["passengers"]] == known.seat_ids

    @rule(minutes=st.sampled_from([1, 2, 5]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def sweep(self):
        lapsed = [k for k in self.known.values() if self._has_lapsed(k)]
        for known in lapsed:
            known.state = "expired"
        assert operations.sweep_lapsed(now=self.now) == len(lapsed)

    @rule(known=orders)
    def pin(self, known):
        payment_id = uuid4()
        known.payments.append(payment_id)
        came = self._try(
            settlement.pin_order, parts=self.parts, order_id=known.order_id, payment_id=payment_id
        )
        if known.state == "held" and known.is_live(self.now):
            order, is_new = came
            assert is_new
            known.state, known.payment_id = "paying", payment_id
            assert known.expires_at <= order["expires_at"] <= known.created_at + PINNED_AT_MOST
            known.expires_at = order["expires_at"]
        elif known.is_live(self.now):
            assert came == "already_paying"
        elif self._has_lapsed(known) or known.state == "expired":
            assert came == "hold_expired"
        else:
            assert came == "order_not_held"

    @rule(known=orders)
    def pay(self, known):
        self.pin(known)
        self.confirm(known, 0)

    @rule(target=orders, leg=LEGS, who=TRAVELLERS)
    def buy(self, leg, who):
        placed = self._place(Leg(*leg), who, seat_class="S")
        if isinstance(placed, Known):
            self.pay(placed)
        return placed

    @rule(known=orders, nth=st.integers(0, 2))
    def unpin(self, known, nth):
        payment_id = self._payment(known, nth)
        settlement.unpin_order(order_id=known.order_id, payment_id=payment_id)
        if known.payment_id == payment_id and known.state in {"held", "paying", "expired"}:
            known.payment_id = None
            known.state = "held" if known.state == "paying" else known.state

    @rule(known=orders, nth=st.integers(0, 1))
    def confirm(self, known, nth):
        payment_id = self._payment(known, nth)
        came = self._confirm(known, payment_id, known.amount_minor)
        if known.payment_id != payment_id:
            final = "order_already_confirmed" if known.state == "confirmed" else "hold_lost"
            assert came == final
        elif known.state == "confirmed":
            assert not came.is_new
        elif known.state in {"released", "cancelled"} or self._rivals(known):
            assert came == "hold_lost"
        else:
            assert came.is_new
            known.state = "confirmed"

    @rule(known=orders, who=TRAVELLERS, is_swept=st.booleans())
    def pay_late(self, known, who, is_swept):
        """The hold lapses on the provider's page; perhaps a rival is there before the money."""
        self.pin(known)
        if known.state == "paying":
            self.now = max(self.now, known.expires_at)
            if is_swept:
                self.sweep()
            self._place(known.leg, who, seat_class="S")
            self.confirm(known, 0)

    @rule(known=orders)
    def pay_a_wrong_amount(self, known):
        payment_id = self._payment(known, 0)
        came = self._confirm(known, payment_id, known.amount_minor - 1)
        if known.payment_id == payment_id:
            assert came == "amount_differs"
        else:
            assert came in {"hold_lost", "order_already_confirmed"}

    @rule(known=orders)
    def release(self, known):
        came = self._try(
            operations.release_order, parts=self.parts, order_id=known.order_id, buyer=known.buyer
        )
        is_over = self._has_lapsed(known) or known.state in {"released", "expired"}
        if known.state == "held" and not is_over:
            known.state = "released"
        elif not is_over:
            assert came == "order_not_held"
            return
        assert came["state"] == known.state

    @rule(known=orders)
    def cancel(self, known):
        quoted = self._try(cancelling.quote_of_order, order_id=known.order_id, buyer=known.buyer)
        if known.state != "confirmed":
            assert quoted == "order_not_confirmed"
            return
        refund_minor = quoted[0].refund_minor
        assert 0 <= refund_minor < known.amount_minor
        for _ in range(2):
            self._try(
                cancelling.cancel_order,
                parts=self.parts, order_id=known.order_id, buyer=known.buyer,
                refund_minor=refund_minor,
            )  # fmt: skip
        known.state = "cancelled"
        self.refunds[known.order_id] = refund_minor

    @rule(known=orders, nth=st.integers(0, 1))
    def capture_fails(self, known, nth):
        payment_id = self._payment(known, nth)
        came = self._try(
            settlement.take_back_confirmation,
            parts=self.parts, order_id=known.order_id, payment_id=payment_id,
        )  # fmt: skip
        if known.payment_id != payment_id:
            assert came == "order_not_found"
        elif known.state in {"confirmed", "paying", "held"}:
            known.state = "cancelled"

    @precondition(lambda self: len(self._keeping()) > 2)
    @rule()
    def the_run_is_cancelled(self):
        """Everything on it ends, paid-for orders with all their money; sales go on elsewhere."""
        self.catalogue.change(self.run_id, state="cancelled")
        while cancelling.follow_catalogue(parts=self.parts, now=self.now):
            pass
        while cancelling.end_orders_of_closed_runs(parts=self.parts, now=self.now):
            pass
        for known in self.known.values():
            if known.wish.run_id != self.run_id:
                continue
            if known.state == "confirmed":
                self.refunds[known.order_id] = known.amount_minor
                known.state = "cancelled"
            elif known.state in {"held", "paying"}:
                known.state = "released"
        self.run_id = self.catalogue.add_run(seats=len(SEATS))

    # What must hold after each step.

    @invariant()
    def no_two_live_claims_overlap(self):
        assert self.stored.overlapping_claims(self.run_id) == 0

    @invariant()
    def each_order_is_as_the_model_says_with_its_seats_and_tickets(self):
        found = self.stored.orders(list(self.known))
        assert found.keys() == self.known.keys()
        for known in self.known.values():
            self._check(known, found[known.order_id])

    def _check(self, known, row):
        assert (row.state, row.payment_id) == (known.state, known.payment_id)
        assert (row.amount_minor, row.currency) == (known.amount_minor, "BDT")
        claims, seats = Counter(row.claims or []), len(known.seat_ids)
        if known.state == "confirmed":
            assert claims == {"sold": seats}
            assert row.tickets == ["issued"] * seats
            assert row.pnr
        elif known.is_live(self.now):
            assert claims == {"held": seats}
            assert set(row.claims_expire) == {known.expires_at}
            assert not row.tickets
        else:
            assert claims["sold"] == 0
            assert claims["held"] == 0 or self._has_lapsed(known)
            assert all(state == "void" for state in row.tickets or [])

    @invariant()
    def pnrs_are_unique_and_refunds_are_owed_once(self):
        assert self.stored.repeated_pnrs() == []
        by_payment = {
            str(self.known[order_id].payment_id): amount
            for order_id, amount in self.refunds.items()
            if amount
        }
        owed = [refund for refund in self.stored.refunds_owed() if refund[0] in by_payment]
        assert sorted(owed) == sorted(by_payment.items())

    # The model's own rules.

    def _place(self, leg, who, seat_ids=(), seat_class=""):
        wish = Wish(
            self.run_id, STATIONS[leg[0]], STATIONS[leg[1]],
            tuple(self.travellers[n] for n in who), seat_ids, seat_class,
        )  # fmt: skip
        order_id, buyer = uuid4(), self.people.buyer()
        expected = self._refusal_of(leg, wish, frozenset(who))
        came = self._try(
            operations.place_order, parts=self.parts, order_id=order_id, buyer=buyer, wish=wish
        )
        if expected:
            assert came == expected
            return multiple()
        assert came.is_new, came
        chosen = [p["seat_id"] for p in came.record["passengers"]]
        assert chosen == list(seat_ids) or not seat_ids
        price_minor = 10_000 * (leg[1] - leg[0]) + 2_000
        assert came.record["amount_minor"] == len(who) * price_minor
        known = Known(
            order_id, buyer, wish, leg, chosen, frozenset(who), len(who) * price_minor,
            self.now, self.now + timedelta(minutes=5),
        )  # fmt: skip
        self.known[order_id] = known
        return known

    def _refusal_of(self, leg, wish, who, own=None):
        """The code of the refusal that must come, or None where the seats must be given."""
        states = self._seat_states(leg, own)
        if wish.seat_ids:
            if any(states[seat_id] != "free" for seat_id in wish.seat_ids):
                return "seat_taken"
        else:
            counts = Counter(self._seat_states(leg).values())
            has_own = own is not None and own.keeps_seats(self.now)
            if counts["free"] < len(who) and not has_own:
                lack = counts["free"] + counts["held"] < len(who)
                return "sold_out" if lack else "seats_held"
        if own is None and any(who & k.travellers for k in self._keeping()):
            return "passenger_on_run"
        return None

    def _keeping(self):
        here = (k for k in self.known.values() if k.wish.run_id == self.run_id)
        return [k for k in here if k.keeps_seats(self.now)]

    def _seat_states(self, leg, own=None):
        states = dict.fromkeys(SEATS, "free")
        for known in self._keeping():
            if known is not own and leg.overlaps(*known.leg):
                kept = "sold" if known.state == "confirmed" else "held"
                states.update(dict.fromkeys(known.seat_ids, kept))
        return states

    def _rivals(self, known):
        return [
            other
            for other in self._keeping()
            if other is not known
            and other.wish.run_id == known.wish.run_id
            and (
                other.travellers & known.travellers
                or (set(other.seat_ids) & set(known.seat_ids) and known.leg.overlaps(*other.leg))
            )
        ]

    def _has_lapsed(self, known):
        return known.state in {"held", "paying"} and known.expires_at <= self.now

    def _payment(self, known, nth):
        """The current payment of the order, or one that it had or never had."""
        if nth == 0 and known.payment_id:
            return known.payment_id
        return known.payments[-nth] if nth and len(known.payments) >= nth else uuid4()

    def _confirm(self, known, payment_id, amount_minor):
        return self._try(
            settlement.confirm_order,
            order_id=known.order_id, payment_id=payment_id, amount_minor=amount_minor,
            currency="BDT",
        )  # fmt: skip

    def _try(self, use_case, **about):
        try:
            return use_case(**about, now=self.now)
        except Problem as problem:
            return problem.code


@pytest.mark.timeout(300)
def test_any_sequence_of_events_leaves_every_seat_with_one_order_at_most(
    parts, people, catalogue, stored
):
    """Cases 2, 4, 5, 6, 7: whatever happens in whatever order, one rule guards every seat."""
    stateful.run_state_machine_as_test(
        lambda: Claims(parts, people, catalogue, stored),
        settings=settings(
            max_examples=50,
            stateful_step_count=35,
            deadline=None,
            derandomize=True,
            database=None,
            # Each step is several round trips: add Phase.shrink to make a failure shorter.
            phases=[Phase.generate],
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
