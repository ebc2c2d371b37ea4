"""A forgotten password: asked for by anybody, set by whoever reads the mailbox."""

from uuid import uuid4

import pytest

NEW = "another-river-43"


@pytest.fixture
def ask(api):
    def asked(email, reset_id=None):
        return api.call("PUT", f"/password-resets/{reset_id or uuid4()}", {"email": email})

    return asked


@pytest.fixture
def confirm(api):
    def confirmed(reset_id, code, password=NEW):
        body = {"code": code, "password": password}
        return api.call("PUT", f"/password-resets/{reset_id}/confirmation", body)

    return confirmed


@pytest.fixture
def asked_for(ask, signed_in, mailbox, deliver):
    """A reset whose code has arrived: (id, code, the session that was open before)."""
    session, reset_id = signed_in(), uuid4()
    assert ask(session["email"], reset_id).status_code == 202
    deliver()
    return reset_id, mailbox.codes()[-1], session


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_mailed_code_sets_the_new_password(api, asked_for, confirm):
    reset_id, code, session = asked_for
    assert confirm(reset_id, code).status_code == 204
    assert api.sign_in(session["email"]).status_code == 401
    assert api.sign_in(session["email"], NEW).status_code == 201


def test_every_device_is_signed_out_and_the_owner_told(api, asked_for, confirm, mailbox, deliver):
    reset_id, code, session = asked_for
    confirm(reset_id, code)
    deliver()
    assert api.refresh(session["refresh_token"]).json["code"] == "invalid_refresh_token"
    assert api.verify(session["access_token"]) == {"active": False}
    assert "password was changed" in mailbox.mails[-1][1]


def test_known_and_unknown_mail_get_the_same_answers(api, ask, confirm, signed_in, deliver):
    known, unknown = uuid4(), uuid4()
    answers = ask(signed_in()["email"], known), ask("nobody@example.org", unknown)
    assert api.looks_same(*answers)
    assert answers[0].status_code == 202
    assert api.looks_same(confirm(known, "000000"), confirm(unknown, "000000"))
    for _ in range(5):
        last = confirm(known, "000000"), confirm(unknown, "000000")
    assert api.looks_same(*last)


def test_an_unknown_mail_is_told_so_by_mail(ask, mailbox, deliver):
    ask("nobody@example.org")
    deliver()
    assert "No account has this address" in mailbox.mails[0][1].replace("\r\n", " ")
    assert mailbox.codes() == []


def test_a_wrong_code_does_no_harm_and_the_sixth_is_not_looked_at(asked_for, confirm):
    reset_id, code, _ = asked_for
    for tries_left in (4, 3, 2, 1, 0):
        refused = confirm(reset_id, wrong(code))
        assert (refused.json["code"], refused.json["tries_left"]) == ("wrong_code", tries_left)
    assert confirm(reset_id, code).json["code"] == "too_many_tries"


def test_a_refused_password_leaves_the_code_good(api, asked_for, confirm):
    reset_id, code, session = asked_for
    name_inside = confirm(reset_id, code, f"{session['email'].split('@')[0]}-42")
    assert (name_inside.status_code, list(name_inside.json["errors"])) == (422, ["password"])
    assert confirm(reset_id, code, "short").status_code == 422
    assert confirm(reset_id, code).status_code == 204


def test_a_repetition_is_fine_and_a_used_code_sets_no_other_password(api, asked_for, confirm):
    reset_id, code, session = asked_for
    assert [confirm(reset_id, code).status_code for _ in range(2)] == [204, 204]
    other = confirm(reset_id, code, "a-third-river-44")
    assert (other.status_code, other.json["code"]) == (409, "id_reused")
    assert api.sign_in(session["email"], NEW).status_code == 201


def test_asking_again_with_the_same_id_sends_no_second_mail(ask, mailbox, deliver):
    reset_id = uuid4()
    statuses = [ask("nobody@example.org", reset_id).status_code for _ in range(3)]
    deliver()
    assert statuses == [202] * 3
    assert len(mailbox.mails) == 1
    assert ask("somebody@example.org", reset_id).json["code"] == "id_reused"


@pytest.mark.usefixtures("whole_window")
def test_a_mailbox_gets_five_an_hour_and_registrations_count_apart(api, ask):
    answers = [ask("flooded@example.org") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert api.register(email="flooded@example.org").status_code == 201
