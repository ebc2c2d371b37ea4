"""
Mails on their way out of the outbox; what they said does not stay in the table.
"""

import base64
from datetime import datetime

from sqlalchemy import update

from chassis.database import transaction
from chassis.mail import send_mail
from chassis.outbox import Message
from registration import sealing
from registration.mails import MAILS
from registration.models import Outbox, db
from registration.settings import settings


def deliver_mail(message: Message, *, now: datetime) -> None:
    """
    Hand a mail over, then take its words out of the table. One that is late beyond use (a code
    of an hour ago) is dropped unsent.

    Raises:
        OSError, smtplib.SMTPException: not accepted; the outbox tries again.
    """
    payload = message.payload
    if payload and now < datetime.fromisoformat(payload["drop_at"]):
        sealed = base64.b64decode(payload["code_sealed"])
        owner = f"mail:{message.message_id}"
        code = sealing.unseal(settings().identity_keys, sealed, owner=owner)
        mail = MAILS[payload["mail"]](code)
        send_mail(
            settings(),
            to=payload["to"],
            subject=mail.subject,
            text=mail.text,
            message_id=message.message_id,
        )
    _scrub(message)


def _scrub(message: Message) -> None:
    with transaction(db) as session:
        session.execute(
            update(Outbox)
            .where(Outbox.message_id == message.message_id)
            .values(payload={})
            .execution_options(synchronize_session=False)
        )
