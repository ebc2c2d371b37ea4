"""What is answered before Flask is asked is what the route would answer, to the byte."""

from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.testing import signed_in


@pytest.fixture
def ask(app):
    """Ask with the shortcuts and without; what differs by its nature is left out."""
    shortcuts = app.shortcuts

    def both(window_id, headers, **request):
        answers = []
        for app.shortcuts in (shortcuts, ()):
            answer = app.test_client().put(
                f"/api/waitingroom/windows/{window_id}/places/me", headers=headers, **request
            )
            request_id = answer.headers.pop("X-Request-Id")
            body = answer.data.replace(request_id.encode(), b"its id")
            answers.append((answer.status, body, sorted(answer.headers)))
        app.shortcuts = shortcuts
        return answers

    return both


def test_a_place_is_the_same(ask, new_window):
    window_id, headers = new_window(), signed_in()
    first, again = ask(window_id, headers, json={})
    assert (first[0], again[0]) == ("201 CREATED", "200 OK")
    assert first[1:] == again[1:]
    token = first[1].split(b'"place":"')[1].split(b'"')[0].decode()
    short, plain = ask(window_id, headers, json={"place": token})
    assert short == plain == (again[0], *again[1:])


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"place": "forged"}},
        {"json": {"place": ""}},
        {"json": {"place": " spaces "}},
        {"json": {"place": "x" * 1_001}},
        {"json": {"place": None}},
        {"json": {"place": 7}},
        {"json": {"more": 1}},
        {"json": []},
        {"json": None},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"place=x", "content_type": "application/x-www-form-urlencoded"},
        {},
    ],
)
def test_what_is_no_place_is_said_in_the_same_words(ask, new_window, request_):
    window_id, headers = new_window(), signed_in()
    ask(window_id, headers, json={})
    short, plain = ask(window_id, headers, **request_)
    assert short == plain


def test_no_token_no_window_and_no_more_time_are_said_in_the_same_words(ask, new_window):
    closed = new_window(opens_in=timedelta(hours=-2), closes_in=timedelta(minutes=-1))
    for window_id, headers, status in (
        (closed, signed_in(), "409 CONFLICT"),
        (uuid4(), signed_in(), "404 NOT FOUND"),
        (closed, {}, "401 UNAUTHORIZED"),
        (closed, {"Authorization": "Bearer not.a.token"}, "401 UNAUTHORIZED"),
    ):
        short, plain = ask(window_id, headers, json={})
        assert short == plain
        assert short[0] == status


@pytest.mark.usefixtures("whole_window")
def test_the_limit_is_the_same(ask, with_settings, new_window):
    with_settings(joins_per_account_minute=3)
    window_id, headers = new_window(), signed_in()
    ask(window_id, headers, json={})
    short, _ = ask(window_id, headers, json={})
    refused, also = ask(window_id, headers, json={})
    assert short[0] == "200 OK"
    assert refused[0] == also[0] == "429 TOO MANY REQUESTS"
