"""
The operator's commands: `python -m registration.commands migrate | ensure-account | reseal`.
"""

import argparse
import os
from collections.abc import Sequence

from flask import Flask
from marshmallow import ValidationError

from chassis.application import utc_now
from chassis.database import migrate
from registration import accounts
from registration.app import create_app
from registration.passwords import LENGTH_MAX, LENGTH_MIN
from registration.schemas import EmailAddress

VARIABLE = "ACCOUNT_PASSWORD"


def main(arguments: Sequence[str] | None = None, app: Flask | None = None) -> None:
    chosen = _parser().parse_args(arguments)
    app = app or create_app()
    with app.app_context():
        chosen.run(chosen, app)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registration.commands", description=__doc__)
    commands = parser.add_subparsers(required=True)
    migrating = commands.add_parser("migrate", help="bring the database to this version")
    migrating.set_defaults(run=_migrate)
    ensuring = commands.add_parser(
        "ensure-account", help=f"make or mend an account; its password is in {VARIABLE}"
    )
    ensuring.add_argument("--email", required=True)
    ensuring.add_argument("--name", required=True)
    ensuring.add_argument("--staff", action="store_true")
    ensuring.set_defaults(run=_ensure_account)
    resealing = commands.add_parser(
        "reseal", help="seal identity numbers with IDENTITY_KEY that IDENTITY_PREVIOUS_KEY sealed"
    )
    resealing.set_defaults(run=_reseal)
    return parser


def _migrate(_: argparse.Namespace, app: Flask) -> None:
    migrate(app)


def _ensure_account(chosen: argparse.Namespace, _: Flask) -> None:
    """Repeatable; refuses a password that the API would find too short or too long."""
    password = os.environ.get(VARIABLE, "")
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise SystemExit(f"{VARIABLE} must have {LENGTH_MIN} to {LENGTH_MAX} characters.")
    try:
        email = EmailAddress().deserialize(chosen.email)
    except ValidationError as error:
        raise SystemExit(f"--email: {' '.join(error.messages)}") from error
    account = accounts.ensure_account(
        email=email, name=chosen.name, password=password, is_staff=chosen.staff, now=utc_now()
    )
    print(account.account_id)


def _reseal(_: argparse.Namespace, __: Flask) -> None:
    resealed = 0
    while count := accounts.reseal():
        resealed += count
    print(f"{resealed} identity numbers sealed anew.")


if __name__ == "__main__":
    main()
