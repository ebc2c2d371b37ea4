"""
What makes the next version of a service differ in a rehearsal: it maps, writes and reads one
nullable column that the old version has never heard of. The rehearsal copies this file into a copy
of the service; no released version contains it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from sqlalchemy import Text, text
from sqlalchemy.orm import mapped_column

COLUMN = "rehearsed_by"
RELEASE = "next"
HEADER = "Railgate-Release"
ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def extend(app: Flask, *, db: Any, model: Any, key: str, collection: str) -> Flask:
    """
    Every entity that the service loads or stores now names the column, and whoever asks for one
    below `collection` has it marked, and read back, in the same request: without the column he
    fails.
    """
    setattr(model, COLUMN, mapped_column(Text, nullable=True, default=RELEASE))
    wrapped = Marking(app, db, table=model.__tablename__, key=key, collection=collection)
    app.wsgi_app = wrapped  # type: ignore[method-assign]
    return app


class Marking:
    """Around the whole application: its shortcuts answer before any hook of Flask's is asked."""

    def __init__(self, app: Flask, db: Any, *, table: str, key: str, collection: str) -> None:
        self._app, self._db, self._within = app, db, app.wsgi_app
        self._asked_for = re.compile(rf"/{collection}/({ID})(?:/|$)")
        self._mark = text(
            f"UPDATE {table} SET {COLUMN} = :release WHERE {key} = :key"
            f" AND {COLUMN} IS DISTINCT FROM :release"
        )
        self._read = text(f"SELECT {COLUMN} FROM {table} LIMIT 1")

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> None:
            begun[:] = [status, [*headers, (HEADER, RELEASE)], *error]

        answer = self._within(environ, begin)
        if environ["PATH_INFO"].startswith("/api/"):
            self._use_column(environ["PATH_INFO"], is_good=int(begun[0][:3]) < 300)
        start_response(*begun)
        return answer

    def _use_column(self, path: str, *, is_good: bool) -> None:
        found = self._asked_for.search(path) if is_good else None
        with self._app.app_context(), self._db.engine.begin() as connection:
            if found is not None:
                connection.execute(self._mark, {"release": RELEASE, "key": found[1]})
            connection.execute(self._read)
