"""
The edge of the Python gateway: what everybody who waits asks again and again is answered here from
memory, before any framework looks at it. Every other request gets the connection handed to aiohttp,
for good.

nginx does the same where there is one; this keeps waiting cheap where there is none.
"""

import asyncio
import signal
import time
from collections.abc import Callable

from aiohttp import web

from railgate.now_serving import Board

ASKED_BEFORE = b"GET /api/waitingroom/windows/"
ASKED_AFTER = b"/now-serving HTTP/1.1\r\n"
ID_LENGTH = 36
HEAD_ENDS = b"\r\n\r\n"
# A head with one of these wants more than the plain answer.
UNUSUAL = (b"\nconnection: close", b"\ncontent-length:", b"\ntransfer-encoding:", b"\nexpect:")
ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Cache-Control: public, max-age=1\r\nContent-Length: %d\r\n\r\n"
)
IDLE_SECONDS = 75.0
SWEEP_SECONDS = 15.0
ID_STARTS, ID_ENDS = len(ASKED_BEFORE), len(ASKED_BEFORE) + ID_LENGTH
PATH_ENDS = ID_ENDS + len(ASKED_AFTER)


class Connection(asyncio.Protocol):
    """One client's connection, as long as it asks nothing but what is being served."""

    def __init__(
        self, make_handler: Callable[[], asyncio.Protocol], board: Board, kept: "set[Connection]"
    ) -> None:
        self._make_handler, self._board, self._kept = make_handler, board, kept
        self.last_asked_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server gives no other
        self.transport = transport
        self._kept.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        self._kept.discard(self)

    def data_received(self, data: bytes) -> None:
        self.last_asked_at = time.monotonic()
        while data:
            head_ends = data.find(HEAD_ENDS)
            body = self._answer_to(data, head_ends)
            if body is None:
                self._hand_over(data)
                return
            self.transport.write(ANSWER_HEAD % len(body) + body)
            data = data[head_ends + len(HEAD_ENDS) :]

    def _answer_to(self, data: bytes, head_ends: int) -> bytes | None:
        """None for what is not a whole, plain question that the board can answer."""
        if head_ends < 0 or not data.startswith(ASKED_BEFORE):
            return None
        if data[ID_ENDS:PATH_ENDS] != ASKED_AFTER:
            return None
        head = data[PATH_ENDS - 1 : head_ends].lower()
        if any(name in head for name in UNUSUAL):
            return None
        return self._board.body_of(data[ID_STARTS:ID_ENDS].decode("latin-1"))

    def _hand_over(self, data: bytes) -> None:
        handler = self._make_handler()
        self._kept.discard(self)
        self.transport.set_protocol(handler)
        handler.connection_made(self.transport)
        handler.data_received(data)


async def serve(app: web.Application, board: Board, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; what is in hand is finished within the runner's time."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75, shutdown_timeout=5)
    await runner.setup()
    make_handler = runner.server
    assert make_handler is not None  # noqa: S101 - setup() has made it
    kept: set[Connection] = set()
    server = await loop.create_server(
        lambda: Connection(make_handler, board, kept), host, port, reuse_address=True, backlog=1024
    )
    sweeping = asyncio.create_task(_close_idle(kept))
    await stopped.wait()
    server.close()
    sweeping.cancel()
    for connection in tuple(kept):
        connection.transport.close()
    await runner.cleanup()


async def _close_idle(kept: set[Connection]) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        longest_ago = time.monotonic() - IDLE_SECONDS
        for connection in tuple(kept):
            if connection.last_asked_at < longest_ago:
                connection.transport.close()
