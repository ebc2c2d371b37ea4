"""
The polls of those who wait, each one sent for one person, on connections that ask nothing else, as
a page asks a CDN. Locust's client takes a millisecond of the processor for a request; here a
hundred thousand people look thousands of times a second.
"""

import contextlib

import gevent.queue
from gevent import socket

HEAD_ENDS = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"


class Polls:
    """`width` keep-alive connections to one address, opened when first wanted."""

    def __init__(
        self, address: tuple[str, int], *, width: int, timeout_seconds: float, own_address
    ) -> None:
        self._address, self._timeout_seconds = address, timeout_seconds
        self._own_address = own_address
        self._links: gevent.queue.Queue = gevent.queue.Queue()
        for _ in range(width):
            self._links.put(None)

    def ask(self, path: str) -> tuple[int, bytes]:
        """The status, 0 where the connection broke, and the body."""
        host, port = self._address
        words = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
        link = self._links.get()
        try:
            if link is not None:
                with contextlib.suppress(OSError):
                    return _answer(link, words)
                # The server may have closed it while nobody asked.
                link = _closed(link)
            with contextlib.suppress(OSError):
                link = self._connect()
                return _answer(link, words)
            link = _closed(link)
            return 0, b""
        finally:
            self._links.put(link)

    def _connect(self) -> socket.socket:
        link = socket.socket()
        link.settimeout(self._timeout_seconds)
        with contextlib.suppress(OSError):
            link.bind((self._own_address(), 0))
        try:
            link.connect(self._address)
        except OSError:
            link.close()
            raise
        return link


def _closed(link: socket.socket | None) -> None:
    if link is not None:
        link.close()


def _answer(link: socket.socket, words: bytes) -> tuple[int, bytes]:
    """
    Raises:
        OSError: the connection broke, or what came is no answer of known length.
    """
    link.sendall(words)
    data = b""
    while (head_ends := data.find(HEAD_ENDS)) < 0:
        data += _more(link)
    head = data[:head_ends].lower()
    before, found, after = head.partition(LENGTH)
    if not found:
        raise ConnectionError("an answer without a length")
    whole = head_ends + len(HEAD_ENDS) + int(after.split(b"\r\n", 1)[0])
    while len(data) < whole:
        data += _more(link)
    return int(before.split(b" ", 2)[1]), data[head_ends + len(HEAD_ENDS) : whole]


def _more(link: socket.socket) -> bytes:
    piece: bytes = link.recv(65_536)
    if not piece:
        raise ConnectionError("closed in the middle")
    return piece
