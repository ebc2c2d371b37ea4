"""Each poll of the load test is a real request with a real answer, or counted as none."""

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer
from loadtest.polling import Polls

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"


@pytest.fixture
def serve():
    servers = []

    def start(talk):
        server = StreamServer(("127.0.0.1", 0), talk)
        server.start()
        servers.append(server)
        address = ("127.0.0.1", server.server_port)
        return Polls(address, width=1, timeout_seconds=5.0, own_address=lambda: "127.1.2.3")

    yield start
    for server in servers:
        server.stop()


def test_an_answer_in_pieces_is_read_whole_and_the_connection_kept(serve):
    peers = []

    def talk(link, peer):
        peers.append(peer[0])
        while link.recv(1_000):
            for piece in (ANSWER[:30], ANSWER[30:] + b"he", b"llo"):
                link.sendall(piece)
                gevent.sleep(0.01)

    polls = serve(talk)
    assert [polls.ask("/a"), polls.ask("/b")] == [(200, b"hello")] * 2
    assert peers == ["127.1.2.3"]


def test_a_connection_that_was_closed_while_nobody_asked_is_opened_anew(serve):
    def talk(link, _):
        link.recv(1_000)
        link.sendall(ANSWER + b"hello")
        link.shutdown(socket.SHUT_RDWR)

    polls = serve(talk)
    assert polls.ask("/") == (200, b"hello")
    gevent.sleep(0.05)
    assert polls.ask("/") == (200, b"hello")


@pytest.mark.parametrize("said", [b"", ANSWER + b"hel", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_broken_answer_is_no_answer(serve, said):
    def talk(link, _):
        link.recv(1_000)
        link.sendall(said)

    assert serve(talk).ask("/") == (0, b"")


def test_nobody_there_is_no_answer():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
    polls = Polls(address, width=1, timeout_seconds=1.0, own_address=lambda: "127.0.0.1")
    assert polls.ask("/") == (0, b"")
