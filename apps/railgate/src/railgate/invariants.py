"""
The invariants of section 5 of the design, each a sentence and the way to find who
breaks it: a statement where one database knows, a function where it takes both.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from railgate.books import Books, OrderRow, PaymentRow

# A cancellation may give back nothing: the ladder says how much, and order keeps what it owes.
CANCELLED_BY_RULE = frozenset({"cancelled_by_passenger", "run_cancelled"})


@dataclass(frozen=True)
class Inside:
    """`breaches_sql` gives one line of text for each breach."""

    sentence: str
    database: str
    of: str
    breaches_sql: str


@dataclass(frozen=True)
class Between:
    sentence: str
    of: str
    breaches: Callable[[Books], Iterator[str]]


INSIDE = (
    Inside(
        "No seat is sold or held twice on any segment.",
        "order",
        "seat claims",
        """
        SELECT format('run %s seat %s: claims %s and %s', run_id, seat_id, before, claim_id)
        FROM (
            SELECT run_id, seat_id, claim_id, lower(segments) AS starts,
                   lag(claim_id) OVER seat AS before,
                   max(upper(segments)) OVER (seat ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)
                       AS taken_until
            FROM seat_claim
            WHERE state = 'sold' OR (state = 'held' AND expires_at > now())
            WINDOW seat AS (PARTITION BY run_id, seat_id ORDER BY lower(segments), claim_id)
        ) AS claim
        WHERE starts < taken_until
        """,
    ),
    Inside(
        "The database itself refuses a second claim.",
        "order",
        "seat claims",
        """
        SELECT 'seat_claim has no exclusion constraint' WHERE NOT EXISTS (
            SELECT 1 FROM pg_constraint
            WHERE conrelid = 'seat_claim'::regclass AND contype = 'x' AND convalidated
        )
        """,
    ),
    Inside(
        "No claim is stuck without a confirmed or a live order.",
        "order",
        "seat claims",
        """
        SELECT format('claim %s is %s, its order %s is %s',
                      claim_id, c.state, c.order_id, coalesce(o.state, 'missing'))
        FROM seat_claim c LEFT JOIN orders o USING (order_id)
        WHERE (c.state = 'sold' AND o.state IS DISTINCT FROM 'confirmed')
           OR (c.state = 'held' AND coalesce(o.state NOT IN ('held', 'paying'), true))
           OR (c.state = 'held' AND (c.expires_at IS NULL OR c.expires_at > o.expires_at))
        """,
    ),
    Inside(
        "Each passenger of a confirmed order has one seat and one valid ticket.",
        "order",
        "confirmed orders",
        """
        SELECT format('order %s: %s passengers, %s seats, %s tickets',
                      order_id, passengers, seats, tickets)
        FROM (
            SELECT o.order_id,
                (SELECT count(*) FROM passenger p WHERE p.order_id = o.order_id) AS passengers,
                (SELECT count(DISTINCT c.position) FROM seat_claim c
                 WHERE c.order_id = o.order_id AND c.state = 'sold') AS seats,
                (SELECT count(DISTINCT t.position) FROM ticket t
                 WHERE t.order_id = o.order_id AND t.state = 'issued') AS tickets
            FROM orders o WHERE o.state = 'confirmed'
        ) AS counted
        WHERE passengers = 0 OR passengers <> seats OR passengers <> tickets
        """,
    ),
    Inside(
        "No ticket is valid without a confirmed order.",
        "order",
        "valid tickets",
        """
        SELECT format('ticket %s: order %s is %s', ticket_id, t.order_id, o.state)
        FROM ticket t JOIN orders o USING (order_id)
        WHERE t.state = 'issued' AND o.state <> 'confirmed'
        """,
    ),
    Inside(
        "The ledger sums to zero, and so does each transfer in it.",
        "payment",
        "ledger transfers",
        """
        SELECT format('transfer %s: %s %s', transfer_id, sum(amount_minor), currency)
        FROM ledger_entry GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0
        UNION ALL
        SELECT format('ledger: %s %s', sum(amount_minor), currency)
        FROM ledger_entry GROUP BY currency HAVING sum(amount_minor) <> 0
        """,
    ),
    Inside(
        "The ledger says of each payment what was taken less what was given back.",
        "payment",
        "payments",
        """
        SELECT format('payment %s: %s taken, %s given back, %s in the ledger',
                      payment_id, captured_minor, given_back, in_ledger)
        FROM (
            SELECT p.payment_id, p.captured_minor,
                (SELECT coalesce(sum(r.amount_minor), 0) FROM refund r
                 WHERE r.payment_id = p.payment_id AND r.state = 'succeeded') AS given_back,
                (SELECT coalesce(sum(l.amount_minor), 0) FROM ledger_entry l
                 WHERE l.payment_id = p.payment_id AND l.account = 'provider_clearing')
                    AS in_ledger
            FROM payment p
        ) AS counted
        WHERE in_ledger <> captured_minor - given_back
        """,
    ),
    Inside(
        "No more is given back than was taken.",
        "payment",
        "refunds",
        """
        SELECT format('payment %s: %s taken, %s given back',
                      p.payment_id, p.captured_minor, sum(r.amount_minor))
        FROM payment p JOIN refund r USING (payment_id)
        WHERE r.state = 'succeeded'
        GROUP BY p.payment_id HAVING sum(r.amount_minor) > p.captured_minor
        """,
    ),
    Inside(
        "No payment with money set aside is forgotten.",
        "payment",
        "payments",
        """
        SELECT format('payment %s is %s and nobody looks at it', payment_id, state)
        FROM payment
        WHERE look_at IS NULL
          AND (state IN ('created', 'pending', 'authorised', 'confirmed')
               OR owed_to_order IS NOT NULL)
        """,
    ),
)


def _captured_for_nothing(books: Books) -> Iterator[str]:
    for payment in books.payments.values():
        if payment.captured_minor == 0 or _has_its_order(books, payment):
            continue
        given_back = books.given_back_minor.get(payment.payment_id, 0)
        if given_back < payment.captured_minor:
            yield (
                f"payment {payment.payment_id}: {payment.captured_minor} taken, "
                f"{given_back} given back, no confirmed order"
            )


def _has_its_order(books: Books, payment: PaymentRow) -> bool:
    """Or had it, until it was cancelled by the rules that say what goes back."""
    order = books.orders.get(payment.order_id)
    if order is None or order.payment_id != payment.payment_id:
        return False
    return order.state == "confirmed" or order.ended_reason in CANCELLED_BY_RULE


def _confirmed_without_money(books: Books) -> Iterator[str]:
    for order in _confirmed(books):
        payment = books.payments.get(order.payment_id)
        if payment is not None and payment.state in {"authorised", "confirmed"}:
            continue
        # A capture that the bank refused: order is being told to take the seats back.
        if payment is not None and payment.state == "failed" and payment.is_looked_after:
            continue
        if payment is None or payment.captured_minor == 0:
            yield f"order {order.order_id}: payment {order.payment_id} was not captured"


def _amount_differs(books: Books) -> Iterator[str]:
    for order in _confirmed(books):
        payment = books.payments.get(order.payment_id)
        if payment is None or payment.captured_minor == 0:
            continue
        taken = (payment.captured_minor, payment.currency)
        if taken != (order.amount_minor, order.currency):
            yield f"order {order.order_id}: {order.amount_minor} asked, {taken[0]} {taken[1]} taken"


def _given_back_but_confirmed(books: Books) -> Iterator[str]:
    for order in _confirmed(books):
        given_back = books.given_back_minor.get(order.payment_id, 0)
        if given_back:
            yield f"order {order.order_id}: {given_back} of its money was given back"


def _owed_and_not_given(books: Books) -> Iterator[str]:
    for owed in books.owed.values():
        refund = books.refunds.get(owed.refund_id)
        if refund is None:
            if owed.is_delivered:
                yield f"refund {owed.refund_id} was asked for and is not on record"
        elif not refund.gives_money_back:
            yield f"refund {owed.refund_id} is {refund.state}"
        elif (refund.amount_minor, refund.currency) != (owed.amount_minor, owed.currency):
            yield f"refund {owed.refund_id}: {owed.amount_minor} owed, {refund.amount_minor} given"


def _paid_twice(books: Books) -> Iterator[str]:
    kept: defaultdict[str, list[str]] = defaultdict(list)
    for payment in books.payments.values():
        given_back = books.given_back_minor.get(payment.payment_id, 0)
        if payment.captured_minor > given_back:
            kept[payment.order_id].append(payment.payment_id)
    for order_id, payment_ids in kept.items():
        if len(payment_ids) > 1:
            yield f"order {order_id} was paid by {' and '.join(sorted(payment_ids))}"


def _confirmed(books: Books) -> Iterator[OrderRow]:
    return (order for order in books.orders.values() if order.state == "confirmed")


BETWEEN = (
    Between(
        "Every captured payment has a confirmed order or a refund.",
        "captured payments",
        _captured_for_nothing,
    ),
    Between(
        "No confirmed order lacks a captured payment.",
        "confirmed orders",
        _confirmed_without_money,
    ),
    Between("What was taken is what the order costs.", "confirmed orders", _amount_differs),
    Between("No order was paid twice.", "orders", _paid_twice),
    Between(
        "No money was given back for a ticket that is still valid.",
        "confirmed orders",
        _given_back_but_confirmed,
    ),
    Between(
        "Every refund that an order owes is given, in its amount.",
        "refunds asked for",
        _owed_and_not_given,
    ),
)
