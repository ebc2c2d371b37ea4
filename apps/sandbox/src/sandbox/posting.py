"""
Posts to the shop over a connection that is kept. It follows no redirect, and asks no proxy.
"""

from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

ANSWER_BYTES_MAX = 64 * 1024


class Poster:
    """For one thread. The connection to the last address is kept: there is one shop as a rule."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._address = ("", "")
        self._kept: HTTPConnection | None = None

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """
        Give the status of the answer. What fails on a kept connection is sent once more on a new
        one: the shop may have closed it meanwhile, and it tells repetitions by the event's id.

        Raises:
            OSError, http.client.HTTPException, ValueError: there was no answer.
        """
        parts = urlsplit(url)
        if self._address != (parts.scheme, parts.netloc):
            self.close()
        if self._kept is not None:
            try:
                return self._exchange(self._kept, parts, body, headers)
            except ConnectionError:
                self.close()
        self._address, self._kept = (parts.scheme, parts.netloc), self._connect(parts)
        return self._exchange(self._kept, parts, body, headers)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self, parts: SplitResult) -> HTTPConnection:
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=self._timeout_seconds)

    def _exchange(
        self, connection: HTTPConnection, parts: SplitResult, body: bytes, headers: dict[str, str]
    ) -> int:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            answer.read(ANSWER_BYTES_MAX)
        except BaseException:
            self.close()
            raise
        if not answer.isclosed():
            self.close()
        return answer.status
