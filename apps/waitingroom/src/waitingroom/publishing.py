"""
Writes what is being served as files, one a window, for nginx or another gateway to answer with:
the people who wait then cost the services nothing.
"""

import contextlib
import os
from datetime import datetime
from pathlib import Path

import orjson

from waitingroom import queries
from waitingroom.parts import Parts
from waitingroom.rendering import now_serving_body


def publish(*, parts: Parts, folder: Path, now: datetime) -> int:
    """
    Write each window's file whole or not at all, and take away those of windows that are gone.
    They are read from PostgreSQL: what is published was committed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    windows = queries.told_windows()
    for window in windows:
        body = orjson.dumps(now_serving_body(parts, window, now))
        _write(folder / f"{window.window_id}.json", body)
    told = {f"{window.window_id}.json" for window in windows}
    for path in folder.glob("*.json"):
        if path.name not in told:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    return 0


def _write(path: Path, body: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(body)
    fresh.replace(path)
