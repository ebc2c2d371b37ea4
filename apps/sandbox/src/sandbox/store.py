"""
One SQLite file holds everything the sandbox knows, so that a restart loses nothing.

A connection lives as long as one piece of work; writers wait for each other.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


class Store:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "sandbox.sqlite3"
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, undone when it fails."""
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        return db
