"""The edge answers who waits from memory and hands everything else on, on one connection."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

WINDOW = "3f0f6f0e-1111-4222-8333-444455556666"
BODY = b'{"serving":42,"state":"open"}'
ASK = f"GET /api/waitingroom/windows/{WINDOW}/now-serving HTTP/1.1\r\nHost: x\r\n\r\n".encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    """A gateway in a process of its own with one window on its board; gives its port."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / f"{WINDOW}.json").write_bytes(BODY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PORT": str(port),
        "RAILGATE_GATEWAY": "python",
        "NOW_SERVING_FOLDER": str(folder),
        "GATEWAY_FOLDER": str(folder),
    }
    process = subprocess.Popen([sys.executable, "-m", "railgate.gateway"], env=environment)
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.05)
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def read_answer(stream) -> tuple[int, bytes, bytes]:
    status = int(stream.readline().split()[1])
    head = b""
    while (line := stream.readline()) != b"\r\n":
        head += line.lower()
    length = int(next(x for x in head.splitlines() if x.startswith(b"content-length")).split()[1])
    return status, head, stream.read(length)


@pytest.fixture
def connection(edge):
    with socket.create_connection(("127.0.0.1", edge), timeout=10) as client:
        yield client, client.makefile("rb")


def test_who_waits_is_answered_from_memory_again_and_again(connection):
    client, stream = connection
    for _ in range(3):
        client.sendall(ASK)
        status, head, body = read_answer(stream)
        assert (status, body) == (200, BODY)
        assert b"cache-control: public, max-age=1" in head


def test_questions_sent_together_are_answered_in_their_order(connection):
    client, stream = connection
    client.sendall(ASK + ASK + HEALTH)

    answers = [read_answer(stream) for _ in range(3)]

    assert [body for _, _, body in answers[:2]] == [BODY, BODY]
    assert json.loads(answers[2][2]) == {"status": "ok"}


def test_another_question_on_the_same_connection_reaches_the_gateway(connection):
    client, stream = connection
    client.sendall(ASK)
    read_answer(stream)
    client.sendall(HEALTH)
    assert json.loads(read_answer(stream)[2]) == {"status": "ok"}
    client.sendall(ASK)
    assert read_answer(stream)[2] == BODY


def test_a_question_that_comes_in_pieces_is_answered(connection):
    client, stream = connection
    client.sendall(ASK[:40])
    time.sleep(0.1)
    client.sendall(ASK[40:])
    assert read_answer(stream)[2] == BODY


def test_a_connection_that_is_to_be_closed_is_closed(connection):
    client, stream = connection
    client.sendall(ASK.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    assert read_answer(stream)[2] == BODY
    assert stream.read() == b""


@pytest.mark.parametrize(
    "request_line",
    [
        ASK.replace(WINDOW.encode(), b"0" * 36),
        ASK.replace(b"/now-serving", b"/now-serving?x=1"),
        ASK.replace(b"GET", b"POST"),
    ],
)
def test_what_the_board_does_not_know_is_not_answered_by_it(connection, request_line):
    client, stream = connection
    client.sendall(request_line)
    status, _, body = read_answer(stream)
    assert (status, body == BODY) in {(404, False), (405, False), (200, True), (502, False)}
    assert status != 200 or b"?x=1" in request_line


def test_idle_connections_are_closed(monkeypatch):
    from railgate import edge

    closed = []

    class Transport:
        def close(self):
            closed.append(self)

    async def sweep():
        monkeypatch.setattr(edge, "SWEEP_SECONDS", 0.01)
        idle = edge.Connection(lambda: None, None, set())
        idle.transport, idle.last_asked_at = Transport(), time.monotonic() - 76
        busy = edge.Connection(lambda: None, None, set())
        busy.transport = Transport()
        task = asyncio.create_task(edge._close_idle({idle, busy}))
        await asyncio.sleep(0.05)
        task.cancel()
        return idle.transport

    idle = asyncio.run(sweep())
    assert set(closed) == {idle}
