"""What the terminal shows when everything is up: addresses, accounts, three lines to try."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from railgate.town import Town, accounts

TEXT = """
Railgate is up after {seconds:.1f} s: {base}

  API pages         {docs}
  Mails             {mail}
  Payment sandbox   {sandbox}
  Passenger         {passenger[email]}  password {passenger[password]}
  Staff             {staff[email]}  password {staff[password]}

Try:
  curl '{base}/api/ticket/stations?q=chatt'
  curl '{base}/api/ticket/runs?from=DA&to=CTG&date={day}'
  curl '{base}/api/registration/sessions' -H 'Content-Type: application/json' \\
    -d '{{"email": "{passenger[email]}", "password": "{passenger[password]}"}}'

`make demo` in a second terminal buys two tickets. Ctrl-C stops everything.
Logs are in {folder}/logs.
"""


def summary(town: Town, seconds: float) -> str:
    day = datetime.now(UTC).astimezone(ZoneInfo("Asia/Dhaka")).date() + timedelta(days=2)
    docs = "\n                    ".join(
        f"{town.public_url}/api/{service.name}/docs" for service in town.services
    )
    return TEXT.format(
        seconds=seconds,
        base=town.public_url,
        docs=docs,
        mail=town.address("mail"),
        sandbox=town.address("sandbox"),
        day=day,
        folder=town.folder,
        **accounts(town),
    )
