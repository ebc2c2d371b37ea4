"""Order's worker: mails, refunds owed, cancelled runs, and the tidy-up of lapsed holds."""

from uuid import UUID

from chassis.application import utc_now
from chassis.mail import send_mail
from chassis.outbox import Message, deliver_due
from chassis.worker import Loop, run_worker
from order import cancelling, operations, queries
from order.app import create_app
from order.mails import ticket_mail
from order.models import Outbox, db
from order.order_life import CONFIRMED
from order.parts import Parts, current_parts


def deliver_mails() -> int:
    return deliver_due(db, Outbox, "ticket_mail", _mail_tickets, now=utc_now())


def deliver_refunds() -> int:
    parts = current_parts()
    return deliver_due(db, Outbox, "refund", lambda owed: _refund(parts, owed), now=utc_now())


def follow_catalogue() -> int:
    return cancelling.follow_catalogue(parts=current_parts(), now=utc_now())


def end_orders_of_closed_runs() -> int:
    return cancelling.end_orders_of_closed_runs(parts=current_parts(), now=utc_now())


def sweep() -> int:
    return operations.sweep_lapsed(now=utc_now())


def _mail_tickets(message: Message) -> None:
    order = queries.order_by_id(UUID(message.payload["order_id"]))
    if order is None or order["state"] != CONFIRMED:
        # Cancelled before its mail could leave: its tickets are void.
        return
    settings = current_parts().settings
    subject, text = ticket_mail(order, public_url=settings.public_url)
    send_mail(
        settings,
        to=order["contact_email"],
        subject=subject,
        text=text,
        message_id=message.message_id,
    )


def _refund(parts: Parts, message: Message) -> None:
    parts.payment.refund(message.message_id, message.payload)


LOOPS = [
    Loop("mails", deliver_mails),
    Loop("refunds", deliver_refunds),
    Loop("catalogue", follow_catalogue, rest_seconds=2.0),
    Loop("closed runs", end_orders_of_closed_runs, rest_seconds=2.0),
    Loop("sweep", sweep, rest_seconds=5.0),
]

if __name__ == "__main__":
    run_worker(create_app(), LOOPS)
