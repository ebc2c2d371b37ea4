"""Newcomers to registration: an account by the mailed code, signing in, staying so, and out."""

import re
import time
import uuid
from datetime import UTC, datetime
from itertools import count

import httpx
from ci.passenger import PATIENCE_SECONDS
from ci.rehearsal.asking import LOOK_SECONDS, Lost, Visitor

API = "/api/registration"
CODE = re.compile(r"^(\d{6}) is your")
OPENED = "accounts opened"
PASSWORD = "tangerine-river-42"
_numbers = count(int(datetime.now(UTC).timestamp() * 1000) % 10**9 * 10 + 10**12)


class Newcomer(Visitor):
    def visit(self) -> None:
        registration_id, email = str(uuid.uuid4()), f"n{uuid.uuid4().hex[:12]}@example.org"
        registration = f"{API}/registrations/{registration_id}"
        self.http.headers.pop("Authorization", None)
        applicant = {
            "name": "Rahima Khatun", "email": email, "password": PASSWORD,
            "mobile": "+8801712345678", "identity_kind": "nid",
            "identity_number": f"{next(_numbers):013d}",
        }  # fmt: skip
        self.ledger.begun.append(registration)
        self.ask("PUT", registration, 201, json=applicant)
        said = {"code": self._mailed_code(email)}
        confirmed = self.ask("PUT", f"{registration}/confirmation", 201, json=said)
        account_id = confirmed.body["account_id"]
        self.ledger.made.append(("registration", account_id, confirmed.version))
        self._use(account_id, {"email": email, "password": PASSWORD})
        self.ledger.finish(registration, OPENED)

    def _use(self, account_id: str, credentials: dict[str, str]) -> None:
        """Whatever version opened the session, the other one must know it."""
        session = self.ask("POST", f"{API}/sessions", 201, json=credentials).body
        self._sign_with(session["access_token"])
        shown = self.ask("GET", f"{API}/accounts/me", 200).body
        self.expect(shown["account_id"] == account_id, f"{account_id} sees {shown}")
        companion = f"{API}/accounts/me/passengers/{uuid.uuid4()}"
        document = {"identity_kind": "nid", "identity_number": f"{next(_numbers):013d}"}
        self.ask("PUT", companion, 201, json={"name": "Karim Uddin", **document})
        said = {"refresh_token": session["refresh_token"]}
        renewed = self.ask("POST", f"{API}/sessions/refresh", 200, json=said).body
        self._sign_with(renewed["access_token"])
        self.ask("DELETE", f"{API}/sessions/current", 204)

    def _sign_with(self, token: str) -> None:
        self.http.headers["Authorization"] = f"Bearer {token}"

    def _mailed_code(self, email: str) -> str:
        """
        Raises:
            Lost: no mail came.
        """
        mailbox = f"{self.town.address('mail')}/api/mails"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            mails = httpx.get(mailbox, params={"to": email}).json()["mails"]
            found = next(filter(None, (CODE.match(mail["subject"]) for mail in mails)), None)
            if found is not None:
                return found[1]
            time.sleep(LOOK_SECONDS)
        self.ledger.broken.append(f"no code was mailed to {email}")
        raise Lost(email)
