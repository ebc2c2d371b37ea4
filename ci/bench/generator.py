"""
A load generator of one process: keep-alive connections that each send the next request as soon as
the last one is answered. It knows requests as bytes and answers as a status and a length, so
that it costs little itself; what it costs is printed.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle, islice
from urllib.parse import urlsplit


@dataclass
class Result:
    seconds: float = 0.0
    statuses: Counter = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    def latency_ms(self, percent: int) -> float:
        ordered = sorted(self.latencies)
        return 1e3 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0


def request_bytes(method, url, *, body=None, headers=None) -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


class _Connection(asyncio.Protocol):
    """Sends from the shared queue until it is empty or the time is over."""

    def __init__(self, requests: deque, result: Result, deadline: float, done) -> None:
        self._requests, self._result, self._deadline, self._done = requests, result, deadline, done
        self._buffer = b""

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, chunk: bytes) -> None:
        self._buffer += chunk
        head_ends = self._buffer.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        length = _content_length(self._buffer[:head_ends])
        if len(self._buffer) < head_ends + 4 + length:
            return
        self._result.statuses[int(self._buffer[9:12])] += 1
        self._result.latencies.append(time.perf_counter() - self._sent_at)
        self._buffer = b""
        self._send()

    def connection_lost(self, error) -> None:
        if not self._done.done():
            self._result.statuses[0] += 1
            self._done.set_result(None)

    def _send(self) -> None:
        if not self._requests or time.perf_counter() > self._deadline:
            self._done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests.popleft())


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    found = lowered.find(b"content-length:")
    if found < 0:
        return 0
    ends = lowered.find(b"\r\n", found)
    return int(lowered[found + 15 : ends if ends > 0 else None])


def load(
    url: str, requests: Iterable[bytes], *, connections: int = 32, seconds: float = 3.0
) -> Result:
    """Send each request once, until they or the seconds are used up."""
    return asyncio.run(_load(url, deque(requests), connections, seconds))


async def _load(url: str, requests: deque, connections: int, seconds: float) -> Result:
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    result, began_at = Result(), time.perf_counter()
    waits = [loop.create_future() for _ in range(connections)]
    for done in waits:
        await loop.create_connection(
            lambda done=done: _Connection(requests, result, began_at + seconds, done),
            parts.hostname,
            parts.port,
        )
    await asyncio.gather(*waits)
    result.seconds = time.perf_counter() - began_at
    return result


def repeated(requests: list[bytes], count: int) -> list[bytes]:
    return list(islice(cycle(requests), count))
