"""What operators do: settings, commands, keys that change."""

import base64
import dataclasses
import os
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from chassis.settings import InvalidSettings
from registration import commands, sealing
from registration.models import Account, db
from registration.settings import Settings


def run(app, monkeypatch, *words, password="tangerine-river-42"):
    monkeypatch.setenv("ACCOUNT_PASSWORD", password)
    commands.main(words, app)


def test_ensure_account_makes_it_and_mends_it(app, api, monkeypatch, capsys):
    wish = ("ensure-account", "--email", "Staff@example.org", "--name", "Station Master")
    run(app, monkeypatch, *wish)
    assert api.sign_in("staff@example.org").json["account"]["roles"] == []
    run(app, monkeypatch, *wish, "--staff", password="another-river-43")
    run(app, monkeypatch, *wish, "--staff", password="another-river-43")
    session = api.sign_in("staff@example.org", "another-river-43").json
    assert session["account"]["roles"] == ["staff"]
    assert len(set(capsys.readouterr().out.split())) == 1
    profile = api.call("GET", "/accounts/me", token=session["access_token"]).json
    assert (profile["mobile"], profile["identity_masked"]) == (None, None)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Account)) == 1


@pytest.mark.parametrize(
    ("email", "password"), [("a@example.org", "short"), ("no address", "tangerine-river-42")]
)
def test_ensure_account_says_what_is_wrong(app, monkeypatch, email, password):
    with pytest.raises(SystemExit, match=r"ACCOUNT_PASSWORD|--email"):
        run(app, monkeypatch, "ensure-account", "--email", email, "--name", "A", password=password)


def test_migrate_can_be_repeated(app, monkeypatch, api):
    run(app, monkeypatch, "migrate")
    assert api.register().status_code == 201


def another_key():
    return sealing.SealingKey(base64.b64encode(os.urandom(32)).decode())


def test_the_key_of_identity_numbers_can_be_changed(
    app, api, signed_in, changed_settings, monkeypatch, capsys
):
    session = signed_in(identity_number="1234567890")
    passenger = {"name": "K", "identity_kind": "nid", "identity_number": "1234567899"}
    api.call("PUT", f"/accounts/me/passengers/{uuid4()}", passenger, token=session["access_token"])
    old = app.extensions["settings"].identity_key
    new = another_key()
    changed_settings(identity_key=new, identity_previous_key=old)
    run(app, monkeypatch, "reseal")
    run(app, monkeypatch, "reseal")
    # The account, its pending registration and the passenger; the second time nothing is left.
    assert capsys.readouterr().out.split()[::5] == ["3", "0"]
    with app.app_context():
        account = db.session.scalar(select(Account))
        owner = f"account:{account.account_id}"
        assert new.unseal(account.identity_sealed, owner=owner) == "1234567890"


def test_resealing_stops_where_a_key_is_missing(app, signed_in, changed_settings, monkeypatch):
    signed_in()
    changed_settings(identity_key=another_key())
    with pytest.raises(sealing.CannotUnseal):
        run(app, monkeypatch, "reseal")


def test_settings_name_each_key_that_is_missing_or_malformed():
    environment = {
        "DATABASE_URL": "postgresql://x",
        "ACCESS_TOKEN_KEY": "no key",
        "IDENTITY_KEY": base64.b64encode(b"too short").decode(),
    }
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(environment)
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["ACCESS_TOKEN_KEY", "IDENTITY_KEY", "HASH_KEY"]
    assert "no key" not in str(refused.value)


def test_no_key_shows_when_settings_are_printed(settings):
    shown = repr(dataclasses.replace(settings))
    assert "PRIVATE KEY" not in shown
    assert str(settings.database_url) not in shown
