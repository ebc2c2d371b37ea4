"""Mails leave by SMTP from a worker, never from a request."""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit
from uuid import UUID

from chassis.settings import ServiceSettings

SMTP_TIMEOUT_SECONDS = 10


def send_mail(
    settings: ServiceSettings,
    *,
    to: str,
    subject: str,
    text: str,
    message_id: UUID,
    html: str | None = None,
) -> None:
    """
    Hand one mail to the server of SMTP_URL (`smtp://[user:password@]host:port`, `smtps://` for
    TLS). The Message-ID comes from the caller, so that a repetition is seen as one by readers.

    Raises:
        OSError, smtplib.SMTPException: not accepted; the caller tries again later.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.mail_from, to, subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message_id}@railgate>"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    url = urlsplit(settings.smtp_url)
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with kind(url.hostname or "127.0.0.1", url.port or 25, timeout=SMTP_TIMEOUT_SECONDS) as server:
        if url.username and url.password:
            server.login(unquote(url.username), unquote(url.password))
        server.send_message(mail)
