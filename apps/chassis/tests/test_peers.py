"""A neighbour is asked over kept connections; its no, its silence and its errors are told apart."""

import socket
import threading
from contextlib import contextmanager, suppress

import jwt
import orjson
import pytest

from chassis.peers import IDLE_SECONDS_MAX, Peer, PeerRefused, PeerUnavailable
from chassis.visits import begin_visit, end_visit

SECRET = "caller-calls-callee-" + "x" * 20
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nETag: one\r\n\r\n{"is":true}'
NO = (
    b"HTTP/1.1 409 Conflict\r\nContent-Length: 21\r\n"
    b'Content-Type: application/problem+json\r\n\r\n{"code":"seat_taken"}'
)
BARE_NO = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n<p/>\n"
BROKEN = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
SILENCE = b""
HANG_UP = None


class Neighbour:
    """Gives the next of `script` to each request, 200 at its end, and counts who came."""

    def __init__(self):
        self.script, self.heard, self.connections = [], [], 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/prefix/"
        threading.Thread(target=self._welcome, daemon=True).start()

    def close(self):
        """Closing alone leaves the door open as long as the thread waits at it."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _welcome(self):
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller):
        with caller, caller.makefile("rb") as lines:
            while head := self._head(lines):
                length = int(head.get("content-length", 0))
                self.heard.append((head, lines.read(length)))
                answer = self.script.pop(0) if self.script else OK
                if answer is HANG_UP:
                    return
                caller.sendall(answer)
                if answer is CUT_SHORT:
                    return
                if self.script[:1] == [HANG_UP]:
                    self.script.pop(0)
                    return

    @staticmethod
    def _head(lines):
        asked = lines.readline().decode().strip()
        if not asked:
            return None
        head = {"asked": asked}
        while line := lines.readline().decode().strip():
            name, _, value = line.partition(":")
            head[name.lower()] = value.strip()
        return head


@pytest.fixture
def neighbour():
    one = Neighbour()
    yield one
    one.close()


@pytest.fixture
def peer(neighbour):
    return Peer("callee", neighbour.url, timeout_seconds=0.3)


def test_an_answer_comes_with_its_status_headers_and_json(peer, neighbour):
    answer = peer.ask("PUT", "/things/1", json={"a": "ক"}, headers={"If-None-Match": "zero"})
    assert (answer.status_code, answer.headers.get("etag"), answer.json()) == (
        200, "one", {"is": True},
    )  # fmt: skip
    head, body = neighbour.heard[0]
    assert head["asked"] == "PUT /prefix/things/1 HTTP/1.1"
    assert (head["content-type"], head["if-none-match"]) == ("application/json", "zero")
    assert orjson.loads(body) == {"a": "ক"}


def test_one_connection_serves_one_call_after_the_other(peer, neighbour):
    neighbour.script = [OK, NO, OK]
    peer.ask("GET", "/things")
    with pytest.raises(PeerRefused):
        peer.ask("GET", "/things")
    peer.ask("PUT", "/things")
    assert (neighbour.connections, len(neighbour.heard)) == (1, 3)


def test_a_call_on_a_connection_that_the_peer_has_closed_is_sent_again_on_a_new_one(
    peer, neighbour
):
    neighbour.script = [OK, HANG_UP]
    assert peer.ask("GET", "/things").status_code == 200
    assert peer.ask("GET", "/things").status_code == 200
    assert neighbour.connections == 2


def test_a_new_connection_that_is_closed_without_an_answer_is_silence(peer, neighbour):
    neighbour.script = [HANG_UP, HANG_UP, HANG_UP]
    with pytest.raises(PeerUnavailable):
        peer.ask("GET", "/things")
    assert len(neighbour.heard) == 1


def test_a_connection_that_has_rested_for_long_is_not_used_again(peer, neighbour):
    peer.ask("GET", "/things")
    connection, used_at = peer._idle.pop()
    peer._idle.append((connection, used_at - IDLE_SECONDS_MAX))
    peer.ask("GET", "/things")
    assert neighbour.connections == 2
    assert connection.sock is None


def test_calls_at_once_have_connections_of_their_own(peer, neighbour):
    threads = [threading.Thread(target=peer.ask, args=("GET", "/things")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(neighbour.heard) == 8
    assert len(peer._idle) == neighbour.connections


@pytest.mark.parametrize(("answer", "code"), [(NO, "seat_taken"), (BARE_NO, "")])
def test_a_refusal_is_told_with_its_status_and_code(peer, neighbour, answer, code):
    neighbour.script = [answer]
    with pytest.raises(PeerRefused) as refused:
        peer.ask("GET", "/things")
    assert refused.value.code == code
    assert refused.value.status == int(answer[9:12])


@pytest.mark.parametrize("answer", [BROKEN, CUT_SHORT, SILENCE, HANG_UP, b"what?\r\n\r\n"])
def test_an_error_half_an_answer_and_no_answer_are_all_silence(peer, neighbour, answer):
    neighbour.script = [answer]
    with pytest.raises(PeerUnavailable) as silence:
        peer.ask("GET", "/things")
    assert silence.value.headers == {"Retry-After": "1"}
    assert peer.ask("GET", "/things").status_code == 200


def test_a_peer_that_is_not_there_is_silent(neighbour, peer):
    neighbour.close()
    with pytest.raises(PeerUnavailable, match="callee: ConnectionRefusedError"):
        peer.ask("GET", "/things")


def test_the_service_token_is_signed_anew_after_half_of_its_life(neighbour):
    peer = Peer("callee", neighbour.url, caller="caller", secret=SECRET)
    for _ in range(2):
        peer.ask("GET", "/things")
    peer._token_renewed_at -= 31
    peer.ask("GET", "/things")
    tokens = [head["authorization"].removeprefix("Bearer ") for head, _ in neighbour.heard]
    assert tokens[0] == tokens[1] != tokens[2]
    for token in tokens:
        jwt.decode(token, SECRET, algorithms=["HS256"], audience="callee", issuer="caller")


@contextmanager
def asked_with(request_id):
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_X_REQUEST_ID": request_id}
    _, token = begin_visit(asked)
    yield
    end_visit(token)


def test_the_request_id_is_passed_on(peer, neighbour):
    with asked_with("request-0001"):
        peer.ask("GET", "/things")
    peer.ask("GET", "/things")
    assert [head.get("x-request-id") for head, _ in neighbour.heard] == ["request-0001", None]
