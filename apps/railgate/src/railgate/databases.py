"""Databases and login roles: each service enters its own database and no other."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

CONNECT_SECONDS = 5


@contextlib.contextmanager
def connected(url: str) -> Iterator[cursor]:
    """Give a cursor that commits each statement; CREATE DATABASE wants no transaction."""
    link: connection = psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    try:
        link.autocommit = True
        with link.cursor() as asking:
            yield asking
    finally:
        link.close()


def ensure_role(asking: cursor, role: str, password: str | None) -> None:
    asking.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    verb = sql.SQL("ALTER" if asking.fetchone() else "CREATE")
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    asking.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))


def ensure_database(asking: cursor, name: str, owner: str | None, template: str | None) -> None:
    """
    Make the database unless it is there, and shut everybody out but its owner.

    A given server's admin may be no superuser: it must be a member of the owner's
    role before it may hand a database over.
    """
    database = sql.Identifier(name)
    asking.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    if asking.fetchone() is None:
        _join(asking, owner)
        words = [sql.SQL("CREATE DATABASE {}").format(database)]
        if owner is not None:
            words.append(sql.SQL("OWNER {}").format(sql.Identifier(owner)))
        if template is not None:
            words.append(sql.SQL("TEMPLATE {}").format(sql.Identifier(template)))
        asking.execute(sql.SQL(" ").join(words))
    asking.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def drop_database(asking: cursor, name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    asking.execute(statement.format(sql.Identifier(name)))


def close_common_databases(asking: cursor) -> None:
    """Keep the services' roles out of the databases that every cluster has."""
    for name in ("postgres", "template1"):
        statement = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC")
        asking.execute(statement.format(sql.Identifier(name)))


def with_login(url: str, database: str, role: str | None, password: str | None) -> str:
    """Give the same server's address for another database, and another role if one is named."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    if role is not None:
        login = quote(role, safe="") + (f":{quote(password, safe='')}" if password else "")
    netloc = f"{login}@{host}" if login else host
    return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))


def _join(asking: cursor, owner: str | None) -> None:
    asking.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    row = asking.fetchone()
    if owner is not None and row is not None and not row[0]:
        asking.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
