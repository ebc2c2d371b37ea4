"""Orders during a rush: a pass of the run's window and of this account, or none is placed."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chassis import testing
from chassis.application import utc_now
from chassis.peers import Peer
from order import queries
from order.admission import Admission, NotAdmitted

WINDOW = uuid4()


class WaitingRoom:
    """What the waiting room would answer; `down` makes it answer 503."""

    def __init__(self):
        self.key, self.kid = Ed25519PrivateKey.generate(), "k1"
        self.windows, self.down, self.asked, self.pause = [], False, 0, 0.0

    def heat(self, *run_ids, is_hot=True, window_id=WINDOW):
        runs = [str(run_id) for run_id in run_ids]
        self.windows.append({"window_id": str(window_id), "run_ids": runs, "is_hot": is_hot})

    def answer(self, path):
        self.asked += 1
        time.sleep(self.pause)
        if self.down:
            return 503, {}
        if path.endswith("/jwks.json"):
            jwk = json.loads(OKPAlgorithm.to_jwk(self.key.public_key()))
            return 200, {"keys": [{**jwk, "kid": self.kid, "alg": "EdDSA"}]}
        return 200, {"windows": self.windows}

    def pass_for(self, account_id, *, key=None, kid=None, lifetime_seconds=300, **claims):
        now = int(time.time())
        claims = {
            "iss": "railgate-waitingroom",
            "aud": "railgate-order",
            "sub": str(account_id),
            "window_id": str(WINDOW),
            "iat": now,
            "exp": now + lifetime_seconds,
            **claims,
        }
        headers = {"kid": kid or self.kid}
        return jwt.encode(claims, key or self.key, algorithm="EdDSA", headers=headers)


@pytest.fixture
def waitingroom():
    room = WaitingRoom()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = room.answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    room.url = f"http://127.0.0.1:{server.server_port}"
    yield room
    server.shutdown()
    server.server_close()


@pytest.fixture
def admission(waitingroom):
    return Admission(Peer("waitingroom", waitingroom.url, timeout_seconds=0.5))


@pytest.fixture
def place(app, client, parts, people, run_id, admission, monkeypatch):
    """Place an order for one seat of the run, with the given pass."""
    monkeypatch.setitem(
        app.extensions, "parts", type(parts)(**{**vars(parts), "admission": admission})
    )

    def ask(pass_="", *, account_id=None, body=None, order_id=None, **about):
        headers = testing.signed_in(account_id=account_id or uuid4())
        if pass_:
            headers["Admission-Pass"] = pass_
        wish = body or people.body(people.wish(run_id, seat_class="S", count=1))
        order_id = order_id or uuid4()
        return client.put(f"/api/order/orders/{order_id}", json={**wish, **about}, headers=headers)

    return ask


def test_a_hot_run_needs_a_pass_and_says_where_to_wait(place, waitingroom, admission, run_id):
    waitingroom.heat(run_id)
    admission.refresh()
    answer = place()
    assert (answer.status_code, answer.json["code"]) == (403, "not_admitted")
    assert answer.json["window_id"] == str(WINDOW)
    assert str(WINDOW) in answer.json["wait_at"]
    account_id = uuid4()
    assert place(waitingroom.pass_for(account_id), account_id=account_id).status_code == 201


@pytest.fixture
def placed(place, waitingroom, admission, run_id, people):
    """An order placed with a pass, and how its request is sent again with another or none."""
    waitingroom.heat(run_id)
    admission.refresh()
    about = {
        "account_id": uuid4(),
        "order_id": uuid4(),
        "body": people.body(people.wish(run_id, seat_class="S", count=1)),
    }
    assert place(waitingroom.pass_for(about["account_id"]), **about).status_code == 201
    return about


def test_an_order_may_be_asked_for_again_when_its_pass_has_ended(place, placed, waitingroom):
    ended = waitingroom.pass_for(placed["account_id"], lifetime_seconds=-1)
    for pass_ in (ended, ""):
        again = place(pass_, **placed)
        assert (again.status_code, again.json["order_id"]) == (200, str(placed["order_id"]))


def test_an_order_whose_seats_went_back_is_shown_again_to_who_was_admitted(
    place, placed, client, waitingroom
):
    released = client.put(
        f"/api/order/orders/{placed['order_id']}/release",
        headers=testing.signed_in(account_id=placed["account_id"]),
    )
    assert released.json["state"] == "released"
    ended = waitingroom.pass_for(placed["account_id"], lifetime_seconds=-1)
    again = place(ended, **placed)
    assert (again.status_code, again.json["state"]) == (200, "released")


def test_an_ended_pass_buys_nothing_new(place, placed, waitingroom):
    ended = waitingroom.pass_for(placed["account_id"], lifetime_seconds=-1)
    refused = place(ended, **{**placed, "order_id": uuid4()})
    assert (refused.status_code, refused.json["code"]) == (403, "not_admitted")
    assert refused.json["pass_expired"] is True


def test_somebody_elses_order_is_no_way_in(place, placed, waitingroom):
    thief = uuid4()
    for pass_ in ("", waitingroom.pass_for(thief, lifetime_seconds=-1)):
        refused = place(pass_, **{**placed, "account_id": thief})
        assert (refused.status_code, refused.json["code"]) == (403, "not_admitted")


def test_an_own_order_on_another_run_is_no_way_in(
    place, placed, waitingroom, admission, catalogue, people
):
    other = catalogue.add_run()
    waitingroom.heat(other)
    admission.refresh()
    body = people.body(people.wish(other, seat_class="S", count=1))
    ended = waitingroom.pass_for(placed["account_id"], lifetime_seconds=-1)
    for pass_ in ("", ended):
        assert place(pass_, **{**placed, "body": body}).json["code"] == "not_admitted"


def test_who_never_waited_is_refused_without_the_database(
    place, placed, parts, waitingroom, monkeypatch
):
    parts.snapshots.get(UUID(placed["body"]["run_id"]))
    asked = []
    monkeypatch.setattr(queries, "order_by_id", asked.append)
    assert place(**{**placed, "order_id": uuid4()}).json["code"] == "not_admitted"
    assert asked == []


@pytest.mark.parametrize("is_hot", [True, False])
def test_runs_outside_hot_windows_need_none(place, waitingroom, admission, run_id, is_hot):
    waitingroom.heat(run_id if not is_hot else uuid4(), is_hot=is_hot)
    admission.refresh()
    assert place().status_code == 201


@pytest.mark.parametrize(
    "flaw",
    [
        {"sub": str(uuid4())},
        {"window_id": str(uuid4())},
        {"exp": 1},
        {"aud": "railgate"},
        {"iss": "railgate"},
        {"key": Ed25519PrivateKey.generate()},
        {"kid": "unknown"},
        {"exp": None},
    ],
)
def test_a_pass_that_is_not_his_live_one_of_this_window_admits_nobody(
    place, waitingroom, admission, run_id, flaw
):
    waitingroom.heat(run_id)
    admission.refresh()
    account_id = uuid4()
    forged = waitingroom.pass_for(account_id, **flaw)
    for _ in range(2):
        assert place(forged, account_id=account_id).json["code"] == "not_admitted"


@pytest.mark.parametrize("junk", ["a", "a.b.c", "[" * 6000, "\xff.\xfe", "W1tb" * 450 + ".e30.e30"])
def test_junk_for_a_pass_is_refused_and_never_a_fault_of_ours(
    place, waitingroom, admission, run_id, junk
):
    waitingroom.heat(run_id)
    admission.refresh()
    assert place(junk).json["code"] == "not_admitted"


@pytest.mark.parametrize("spell", [str.upper, lambda text: text.replace("-", ""), "{{{}}}".format])
def test_another_spelling_of_the_run_is_no_way_around(
    place, waitingroom, admission, run_id, people, spell
):
    waitingroom.heat(run_id)
    admission.refresh()
    body = people.body(people.wish(run_id, seat_class="S", count=1))
    assert place(body=body, run_id=spell(str(run_id))).json["code"] == "not_admitted"


def test_a_pass_ends_though_it_is_remembered(waitingroom, admission):
    run_id, account_id = uuid4(), uuid4()
    waitingroom.heat(run_id)
    admission.refresh()
    pass_ = waitingroom.pass_for(account_id, lifetime_seconds=60)
    admission.require(run_id, account_id, pass_, now=utc_now())
    with pytest.raises(NotAdmitted):
        admission.require(run_id, account_id, pass_, now=utc_now() + timedelta(seconds=61))


def test_the_last_word_holds_while_the_waiting_room_is_down(waitingroom, admission):
    run_id, account_id = uuid4(), uuid4()
    admission.require(run_id, account_id, "", now=utc_now())
    waitingroom.heat(run_id)
    admission.refresh()
    waitingroom.down = True
    admission.refresh()
    with pytest.raises(NotAdmitted):
        admission.require(run_id, account_id, "", now=utc_now())
    admission.require(run_id, account_id, waitingroom.pass_for(account_id), now=utc_now())


def test_sales_are_open_where_the_waiting_room_was_never_heard(place, waitingroom):
    waitingroom.down = True
    assert place().status_code == 201


def test_the_first_request_of_a_process_meets_the_list_and_not_an_open_door(waitingroom, admission):
    """A process that nobody has asked yet knows no window: its first buyers had passed unseen."""
    run_id = uuid4()
    waitingroom.heat(run_id)
    waitingroom.pause = 0.2
    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(lambda _: refusal_of(admission, run_id), range(8)))
    assert refusals == [str(WINDOW)] * 8


def test_no_request_but_the_first_waits_for_the_waiting_room(waitingroom, admission):
    admission.require(uuid4(), uuid4(), "", now=utc_now())
    waitingroom.pause = 0.4
    began = time.perf_counter()
    for _ in range(1_000):
        admission.require(uuid4(), uuid4(), "", now=utc_now())
    assert time.perf_counter() - began < 0.3
    assert waitingroom.asked <= 3


def refusal_of(admission, run_id):
    try:
        admission.require(run_id, uuid4(), "", now=utc_now())
    except NotAdmitted as refused:
        return refused.extra["window_id"]
    return None


def test_hot_windows_are_learnt_beside_the_requests(waitingroom, admission):
    run_id = uuid4()
    waitingroom.heat(run_id)
    deadline = time.monotonic() + 3
    while refusal_of(admission, run_id) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert refusal_of(admission, run_id) == str(WINDOW)


def test_an_idle_process_learns_of_a_new_window_too(waitingroom, admission):
    """Its next request, which may come with a pass of that window, must not meet an old list."""
    run_id, account_id, newer = uuid4(), uuid4(), uuid4()
    waitingroom.heat(run_id)
    admission.require(uuid4(), account_id, "", now=utc_now())
    waitingroom.windows.clear()
    waitingroom.heat(run_id, window_id=newer)
    time.sleep(2.2)
    pass_ = waitingroom.pass_for(account_id, window_id=str(newer))
    admission.require(run_id, account_id, pass_, now=utc_now())
    assert refusal_of(admission, run_id) == str(newer)


@pytest.mark.parametrize("windows", [None, 5, [{}], [{"is_hot": True, "run_ids": [None]}]])
def test_nonsense_of_the_waiting_room_changes_nothing(waitingroom, admission, windows):
    run_id = uuid4()
    waitingroom.heat(run_id)
    admission.refresh()
    waitingroom.windows = windows
    admission.refresh()
    assert refusal_of(admission, run_id) == str(WINDOW)


def test_a_remembered_pass_costs_microseconds(waitingroom, admission):
    run_id, account_id = uuid4(), uuid4()
    waitingroom.heat(run_id)
    admission.refresh()
    pass_, now = waitingroom.pass_for(account_id), utc_now()
    admission.require(run_id, account_id, pass_, now=now)
    began = time.process_time()
    for _ in range(2_000):
        admission.require(run_id, account_id, pass_, now=now)
    assert (time.process_time() - began) / 2_000 < 50e-6
