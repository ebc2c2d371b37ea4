"""
One SQLite file holds everything the sandbox knows, so that a restart loses nothing.

One connection serves all threads, one piece of work after the other: each takes a fraction of a
millisecond, and writers that SQLite makes wait for each other would sleep for longer.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    session_id TEXT PRIMARY KEY,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    description TEXT NOT NULL,
    return_url TEXT NOT NULL,
    webhook_url TEXT NOT NULL,
    expires_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    card TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    authorised_minor INTEGER NOT NULL DEFAULT 0,
    captured_minor INTEGER NOT NULL DEFAULT 0,
    capture_attempts INTEGER NOT NULL DEFAULT 0,
    wakes_at REAL
);
CREATE INDEX IF NOT EXISTS session_wakes_at ON session (wakes_at) WHERE wakes_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS refund (
    refund_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES session,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS refund_session ON refund (session_id);
CREATE TABLE IF NOT EXISTS notice (
    notice_id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES session,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    attempts_lost INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    delivered_at REAL
);
CREATE INDEX IF NOT EXISTS notice_due_at ON notice (due_at) WHERE due_at IS NOT NULL;
"""
BUSY_SECONDS = 10


class Connection(sqlite3.Connection):
    """`has_notices` tells that the work in hand has written notices, which wait for its commit."""

    has_notices = False


class Store:
    """`on_notices` is called after each commit that leaves notices to be sent."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "sandbox.sqlite3"
        self._turn = threading.Lock()
        self._db = self._connect()
        self.on_notices: Callable[[], None] = lambda: None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._turn:
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, undone when it fails."""
        with self._turn:
            self._db.has_notices = False
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            has_notices = self._db.has_notices
        if has_notices:
            self.on_notices()

    def _connect(self) -> Connection:
        db = sqlite3.connect(
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA)
        return db
