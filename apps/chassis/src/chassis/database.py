"""
One database a service: the session, a transaction that is visible where it is used, and
migrations that run from the service's own folder.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import Migrate, upgrade
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, CursorResult, DateTime, MetaData, Row
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, scoped_session
from sqlalchemy.types import TypeDecorator

from chassis.settings import ServiceSettings

DbSession = scoped_session[Any]
AUTOCOMMIT = "autocommit"
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a zone; a naive one is a mistake and is refused before it is stored."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)


def new_database() -> SQLAlchemy:
    """Each service has metadata of its own, so that several can live in one test process."""
    base = type(
        "ServiceModel", (DeclarativeBase,), {"metadata": MetaData(naming_convention=NAMING)}
    )
    return SQLAlchemy(model_class=base, session_options={"expire_on_commit": False})


@contextmanager
def transaction(db: SQLAlchemy) -> Iterator[DbSession]:
    """Commit when the block ends, roll back and re-raise when it fails."""
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@dataclass(frozen=True)
class Statement:
    """
    A statement that each connection prepares once: planning one with many parts costs several
    times its execution. `parameters` gives the SQL type of each `:name` in `sql`; columns
    must be named in it, never `*`, since a prepared plan may not change its result.

    Prepared statements belong to a connection, so a pooler between us and the database has to
    work by session, not by transaction.
    """

    name: str
    parameters: dict[str, str]
    sql: str

    @cached_property
    def prepare(self) -> str:
        numbers = {name: f"${n}" for n, name in enumerate(self.parameters, 1)}
        numbered = re.sub(r"(?<!:):([a-z_]+)\b", lambda found: numbers[found[1]], self.sql)
        types = ", ".join(self.parameters.values())
        return f"PREPARE {self.name} ({types}) AS {numbered}".replace("%", "%%")

    @cached_property
    def execute(self) -> str:
        return f"EXECUTE {self.name} ({', '.join(f'%({name})s' for name in self.parameters)})"


def execute(
    connection: Connection, statement: Statement, values: dict[str, Any]
) -> CursorResult[Any]:
    prepared = connection.info.setdefault("prepared", set())
    if statement.name not in prepared:
        connection.exec_driver_sql(statement.prepare)
        prepared.add(statement.name)
    return connection.exec_driver_sql(statement.execute, values)


def run_statement(db: SQLAlchemy, statement: Statement, values: dict[str, Any]) -> Row[Any]:
    """
    Run one statement that is a transaction of its own, in one round trip, and give its one row.

    Raises:
        IntegrityError: a constraint refused it, and nothing of it remains.
    """
    return read_rows(db, statement, values)[0]


def read_rows(db: SQLAlchemy, statement: Statement, values: dict[str, Any]) -> Sequence[Row[Any]]:
    """
    Run one statement by itself. A connection that turns out to be dead is replaced and the
    statement sent again, so it must be one that may be repeated.
    """
    try:
        return _rows(db, statement, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return _rows(db, statement, values)


def _rows(db: SQLAlchemy, statement: Statement, values: dict[str, Any]) -> Sequence[Row[Any]]:
    with db.engines[AUTOCOMMIT].connect() as connection:
        return execute(connection, statement, values).all()


def refusing_constraint(error: IntegrityError) -> str:
    """Name the constraint that refused a statement; empty where PostgreSQL does not say."""
    diagnosis = getattr(error.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


def register_database(app: Flask, db: SQLAlchemy, settings: ServiceSettings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = driver_url(settings.database_url)
    options = engine_options(app.name, settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    app.config["SQLALCHEMY_BINDS"] = {
        AUTOCOMMIT: {
            **options,
            "url": app.config["SQLALCHEMY_DATABASE_URI"],
            "isolation_level": "AUTOCOMMIT",
            # Nothing to roll back, and run_statement() replaces a dead connection itself.
            "pool_reset_on_return": None,
            "pool_pre_ping": False,
        }
    }
    db.init_app(app)
    Migrate(app, db, directory=str(Path(app.root_path) / "migrations"), compare_type=True)


def driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def engine_options(name: str, settings: ServiceSettings) -> dict[str, Any]:
    """
    Nothing waits for ever: 3 s for a connection or a lock, the settings' bound for a statement.
    """
    limits = {
        "statement_timeout": settings.database_statement_timeout_ms,
        "lock_timeout": 3_000,
        "idle_in_transaction_session_timeout": 15_000,
        "timezone": "UTC",
    }
    return {
        "pool_size": settings.database_pool_size,
        "max_overflow": 2,
        "pool_timeout": 3,
        "pool_pre_ping": True,
        # An error message shall not carry passengers into the log.
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": 3,
            "application_name": f"railgate-{name}",
            "options": " ".join(f"-c {key}={value}" for key, value in limits.items()),
        },
    }


def migrate(app: Flask) -> None:
    with app.app_context():
        upgrade()
