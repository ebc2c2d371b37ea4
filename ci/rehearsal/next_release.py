"""
What makes the next version of a service differ in a rehearsal: it maps, writes and reads one
nullable column that the old version has never heard of. The rehearsal copies this file into a copy
of the service; no released version contains it.
"""

from typing import Any

from flask import Flask, Response, request
from sqlalchemy import Text, text
from sqlalchemy.orm import mapped_column

COLUMN = "rehearsed_by"
RELEASE = "next"
HEADER = "Railgate-Release"


def extend(app: Flask, *, db: Any, model: Any, key: str) -> Flask:
    """
    Every entity that the service loads or stores now names the column, and whoever asks for one
    by its `key` has it marked and read back, in the same request: without the column he fails.
    """
    setattr(model, COLUMN, mapped_column(Text, nullable=True, default=RELEASE))
    table = model.__tablename__
    mark = text(
        f"UPDATE {table} SET {COLUMN} = :release WHERE {key} = :key"
        f" AND {COLUMN} IS DISTINCT FROM :release"
    )
    read = text(f"SELECT {COLUMN} FROM {table} LIMIT 1")

    @app.after_request
    def note(answer: Response) -> Response:
        answer.headers[HEADER] = RELEASE
        if request.path.startswith("/api/"):
            asked_for = (request.view_args or {}).get(key)
            with db.engine.begin() as connection:
                if asked_for is not None and answer.status_code < 300:
                    connection.execute(mark, {"release": RELEASE, "key": asked_for})
                connection.execute(read)
        return answer

    return app
