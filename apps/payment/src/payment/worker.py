"""
Payment's worker: `python -m payment.worker` finishes what was left unfinished, executes refunds
and sends mails, each in a loop of its own.
"""

from chassis.application import utc_now
from chassis.mail import send_mail
from chassis.outbox import Message, deliver_due
from chassis.worker import Loop, run_worker
from payment import advancing, refunding
from payment.app import create_app
from payment.models import Outbox, db
from payment.parts import current_parts

# A dead mail server takes 10 s a mail; a batch must end before the lease of 60 s does.
MAILS_PER_BATCH = 5


def reconcile() -> int:
    return advancing.reconcile(parts=current_parts(), now=utc_now())


def execute_refunds() -> int:
    return refunding.execute_due(parts=current_parts(), now=utc_now())


def send_mails() -> int:
    return deliver_due(db, Outbox, "mail", _send, now=utc_now(), limit=MAILS_PER_BATCH)


def _send(message: Message) -> None:
    send_mail(current_parts().settings, message_id=message.message_id, **message.payload)


LOOPS = [
    Loop("reconcile", reconcile, 1.0),
    Loop("refunds", execute_refunds, 0.5),
    Loop("mails", send_mails, 0.5),
]


if __name__ == "__main__":
    run_worker(create_app(), LOOPS)
