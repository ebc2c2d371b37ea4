"""The last mails, in memory and as files that a restart reads again."""

import email
import email.policy
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path

MAILS_MAX = 1_000
# How the envelope is kept in the file, above the mail's own headers.
SENDER, RECIPIENTS, RECEIVED = "X-Caught-Sender", "X-Caught-Recipients", "X-Caught-At"


@dataclass(frozen=True)
class Mail:
    mail_id: str
    sender: str
    recipients: list[str]
    received_at: datetime
    content: bytes

    @cached_property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)

    @property
    def subject(self) -> str:
        return str(self.message.get("Subject", ""))

    @cached_property
    def text(self) -> str | None:
        return self._body("plain")

    @cached_property
    def html(self) -> str | None:
        return self._body("html")

    @property
    def attachments(self) -> list[EmailMessage]:
        return [part for part in self.message.iter_attachments() if part.get_filename()]

    def is_to(self, address: str) -> bool:
        return address.casefold() in (recipient.casefold() for recipient in self.recipients)

    def as_json(self) -> dict[str, object]:
        return {
            "mail_id": self.mail_id,
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "attachments": [part.get_filename() for part in self.attachments],
            "received_at": self.received_at.isoformat().replace("+00:00", "Z"),
        }

    def _body(self, kind: str) -> str | None:
        """A mail whose charset is a lie is shown with marks, not refused."""
        part = self.message.get_body(preferencelist=(kind,))
        if part is None:
            return None
        try:
            return str(part.get_content())
        except (LookupError, ValueError):
            raw = part.get_payload(decode=True)
            return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = sorted(folder.glob("*.eml"))
        for old in kept[:-MAILS_MAX]:
            old.unlink()
        self._mails = deque(_read(path) for path in kept[-MAILS_MAX:])

    def keep(self, *, sender: str, recipients: list[str], content: bytes, now: datetime) -> Mail:
        stamp = now.strftime("%Y%m%dT%H%M%S.%f")
        mail = Mail(f"{stamp}-{uuid.uuid4().hex[:8]}", sender, recipients, now, content)
        _write(self._path(mail), mail)
        self._mails.append(mail)
        while len(self._mails) > MAILS_MAX:
            self._path(self._mails.popleft()).unlink(missing_ok=True)
        return mail

    def newest(self, *, to: str | None, limit: int) -> list[Mail]:
        found = (mail for mail in reversed(self._mails) if not to or mail.is_to(to))
        return [mail for mail, _ in zip(found, range(limit), strict=False)]

    def find(self, mail_id: str) -> Mail | None:
        return next((mail for mail in self._mails if mail.mail_id == mail_id), None)

    def forget_all(self) -> None:
        while self._mails:
            self._path(self._mails.pop()).unlink(missing_ok=True)

    def _path(self, mail: Mail) -> Path:
        return self._folder / f"{mail.mail_id}.eml"


def _write(path: Path, mail: Mail) -> None:
    """An address with a line break in it would forge a header: there is none after SMTP."""
    head = {
        SENDER: mail.sender,
        RECIPIENTS: ", ".join(mail.recipients),
        RECEIVED: mail.received_at.isoformat(),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    path.write_bytes(lines.encode() + mail.content)


def _read(path: Path) -> Mail:
    raw = path.read_bytes()
    head, content = raw.split(b"\r\n", 3)[:3], raw.split(b"\r\n", 3)[-1]
    values = [line.decode(errors="replace").partition(": ")[2] for line in head]
    sender, recipients, received = [*values, "", "", ""][:3]
    try:
        received_at = datetime.fromisoformat(received)
    except ValueError:
        received_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Mail(path.stem, sender, recipients.split(", "), received_at, content)
