"""The servers start as whoever we are, keep what they must, and leave nothing behind."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from railgate import children, launching, programs
from railgate.launching import DataFolderBroken, FolderInUse, ServerFailed
from railgate.servers import PostgresServer, ValkeyServer

IS_ROOT = os.getuid() == 0
START_BOTH = """
import sys, time
from pathlib import Path
from railgate.servers import PostgresServer, ValkeyServer
folder = Path(sys.argv[1])
with PostgresServer(folder / "postgres") as postgres, ValkeyServer(folder / "valkey") as valkey:
    print(postgres.pid, valkey.pid, flush=True)
    time.sleep(60)
"""


def new_folder(name):
    folder = Path(tempfile.mkdtemp(prefix=f"railgate-{name}-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def open_folder():
    """A folder that other users can pass through, as a project's folder usually is."""
    folder = new_folder("open")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    """A running server for tests that leave it running; making one takes a second."""
    folder = new_folder("running")
    with PostgresServer(folder, for_tests=True) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster():
    """The folder of a stopped server for tests that leave it whole."""
    folder = new_folder("stopped")
    with PostgresServer(folder):
        pass
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def damaged(path, content):
    """Put something else into the file, or take it away, for a while."""
    before = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.fixture(autouse=True)
def _no_given_servers(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def ask(url, statement):
    link = psycopg2.connect(url)
    try:
        link.autocommit = True
        with link.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        link.close()


def is_alive(pid):
    """A zombie that nobody collects is not alive."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def wait_until_gone(*pids):
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.05)


def owner_of_pid(pid):
    return Path(f"/proc/{pid}").stat().st_uid


def test_a_restart_keeps_the_data(cluster):
    with PostgresServer(cluster) as server:
        url = server.create_database("order", owner="order", password="p'w@/:x")
        ask(url, "CREATE EXTENSION btree_gist")
        ask(url, "CREATE TABLE claim (seat int); INSERT INTO claim VALUES (5)")
        server.restart()
        assert ask(url, "SELECT seat FROM claim") == [(5,)]
    with PostgresServer(cluster) as again:
        url = again.create_database("order", owner="order", password="another")
        assert ask(url, "SELECT seat FROM claim") == [(5,)]
        assert ask(url, "SHOW fsync") == [("on",)]


def test_a_killed_server_comes_back_with_its_data(server):
    url = server.create_database("killed")
    ask(url, "CREATE TABLE claim (seat int); INSERT INTO claim VALUES (5)")
    os.kill(server.pid, signal.SIGKILL)
    server.restart()
    assert ask(url, "SELECT seat FROM claim") == [(5,)]


def test_each_role_enters_only_its_own_database(server):
    server.create_database("order", owner="order", password="one")
    server.create_database("payment", owner="payment", password="two")
    for database in ("payment", "postgres", "template1"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied"):
            ask(server.url(database, "order", "one"), "SELECT 1")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(server.url("order", "order", "wrong"), "SELECT 1")


def test_a_database_is_copied_from_a_template_and_dropped(server):
    ask(server.create_database("original"), "CREATE TABLE claim (seat int)")
    copy = server.create_database("copy", template="original")
    assert ask(copy, "SELECT count(*) FROM claim") == [(0,)]
    server.drop_database("copy")
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        ask(copy, "SELECT 1")


@pytest.mark.skipif(not IS_ROOT, reason="only root has this trouble")
def test_root_lends_the_files_to_another_user(server):
    assert owner_of_pid(server.pid) == pwd.getpwnam("nobody").pw_uid


@pytest.mark.skipif(not IS_ROOT, reason="only root has this trouble")
def test_root_below_a_closed_folder_needs_no_other_user(open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with PostgresServer(closed / "postgres") as server:
        assert ask(server.admin_url, "SELECT 1") == [(1,)]
        assert Path(f"/proc/{server.pid}/uid_map").read_text().split() == ["1000", "0", "1"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can become a plain user")
def test_a_plain_user_starts_it_directly(open_folder):
    """The test's own Python may be closed to him, so only the server's programs are his."""
    nobody = pwd.getpwnam("nobody")
    identity = programs.Identity(nobody.pw_uid, nobody.pw_gid)
    folder = next(programs.postgres_folders())
    if not programs.can_run(identity, folder / "postgres", Path("/tmp")):
        pytest.skip("a plain user cannot reach the programs here")
    data = open_folder / "data"
    words = ["setpriv", "--reuid=nobody", "--regid", str(nobody.pw_gid), "--clear-groups"]
    open_folder.chmod(0o777)
    made = subprocess.run([*words, folder / "initdb", "-D", data], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr


def test_a_stale_lock_of_a_stranger_is_disowned(cluster):
    stranger = subprocess.Popen(["sleep", "60"])
    lock = cluster / "cluster" / "data" / "postmaster.pid"
    try:
        lock.write_text(f"{stranger.pid}\n{lock.parent}\n0\n1\n\n127.0.0.1\n0 0\nready\n")
        owner = lock.parent.stat()
        os.chown(lock, owner.st_uid, owner.st_gid)
        with PostgresServer(cluster) as server:
            assert server.answers()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan_stays_when_we_are_killed_and_the_next_start_works(cluster, how):
    for _ in range(2):
        starter = subprocess.Popen(
            [sys.executable, "-c", START_BOTH, str(cluster)], stdout=subprocess.PIPE, text=True
        )
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert all(map(is_alive, pids))
        starter.send_signal(how)
        starter.wait(10)
        starter.stdout.close()
        wait_until_gone(*pids)


def test_a_second_server_on_the_folder_is_refused(server):
    with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        PostgresServer(server.folder, for_tests=True).start()
    assert server.answers()


def test_a_folder_is_free_again_after_the_stop(open_folder):
    for _ in range(2):
        with ValkeyServer(open_folder, for_tests=True) as server:
            assert server.answers()


def test_a_damaged_data_folder_is_one_clear_sentence(cluster):
    control = cluster / "cluster" / "data" / "global" / "pg_control"
    with (
        damaged(control, b""),
        pytest.raises(DataFolderBroken, match=r"PostgreSQL does not start\. It says: "),
    ):
        PostgresServer(cluster).start()


def test_data_of_another_version_is_one_clear_sentence(cluster):
    with (
        damaged(cluster / "cluster" / "data" / "PG_VERSION", b"9\n"),
        pytest.raises(DataFolderBroken, match="was written by PostgreSQL 9, which is not"),
    ):
        PostgresServer(cluster).start()


def test_a_lost_password_is_one_clear_sentence(cluster):
    with (
        damaged(cluster / "admin_password", None),
        pytest.raises(DataFolderBroken, match="admin_password is missing"),
    ):
        PostgresServer(cluster).start()


def test_half_a_cluster_is_made_anew(open_folder):
    (open_folder / "cluster" / "data.new" / "base").mkdir(parents=True)
    with PostgresServer(open_folder, for_tests=True) as server:
        assert server.answers()


def test_a_taken_port_is_named_in_the_failure(cluster, monkeypatch):
    monkeypatch.setattr(launching, "TROUBLE_SECONDS", 0.1)
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        with pytest.raises(ServerFailed, match="Address already in use"):
            PostgresServer(cluster, port, for_tests=True).start()


def test_without_any_program_the_sentence_says_what_to_install(open_folder, monkeypatch):
    monkeypatch.setattr(programs, "postgres_folders", lambda: iter(()))
    monkeypatch.setattr(programs, "valkey_program", lambda: None)
    with pytest.raises(ServerFailed, match="postgresql package, or set DATABASE_URL"):
        PostgresServer(open_folder / "postgres").start()
    with pytest.raises(ServerFailed, match="redis-server package, or set REDIS_URL"):
        ValkeyServer(open_folder / "valkey").start()


@pytest.mark.skipif(
    not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")), reason="none is installed"
)
def test_the_distributions_programs_serve_where_the_wheel_does_not(open_folder, monkeypatch):
    monkeypatch.setattr(programs, "_package_folder", lambda _name: None)
    with PostgresServer(open_folder, for_tests=True) as server:
        address = server.create_database("order", owner="order", password="x")
        assert ask(address, "SELECT current_database()") == [("order",)]


def test_the_cluster_stays_with_the_version_that_wrote_it(open_folder, monkeypatch):
    folders = list(programs.postgres_folders())
    if len(folders) < 2:
        pytest.skip("only one PostgreSQL is here")
    with monkeypatch.context() as other_machine:
        other_machine.setattr(programs, "postgres_folders", lambda: iter(folders[1:]))
        with PostgresServer(open_folder, for_tests=True) as server:
            before = ask(server.admin_url, "SHOW server_version_num")
    with PostgresServer(open_folder, for_tests=True) as server:
        assert ask(server.admin_url, "SHOW server_version_num") == before


def test_a_given_server_is_used_and_left_alone(server, open_folder, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", server.admin_url)
    with PostgresServer(open_folder / "unused") as given:
        url = given.create_database("given", owner="given", password="x y")
        assert ask(url, "SELECT current_user, current_database()") == [("given", "given")]
        with pytest.raises(ServerFailed, match="not ours"):
            given.restart()
    assert server.answers()
    assert not (open_folder / "unused").exists()


def test_an_admin_who_is_no_superuser_can_make_databases(server):
    ask(server.admin_url, "CREATE ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD 'x'")
    ask(server.admin_url, "GRANT CONNECT ON DATABASE postgres TO landlord")
    given = PostgresServer(server.folder, given_url=server.url("postgres", "landlord", "x"))
    assert ask(given.create_database("flat", owner="tenant", password="y"), "SELECT 1")


def test_a_given_server_that_is_silent_is_one_clear_sentence(open_folder, monkeypatch):
    port = children.free_port()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://a:b@127.0.0.1:{port}/postgres")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    with pytest.raises(ServerFailed, match="PostgreSQL does not answer: "):
        PostgresServer(open_folder).start()
    with pytest.raises(ServerFailed, match="Valkey does not answer: "):
        ValkeyServer(open_folder).start()


def test_valkey_starts_empty_asks_for_its_password_and_restarts_on_its_port(open_folder):
    with ValkeyServer(open_folder) as server:
        port = server.port
        redis.Redis.from_url(server.url).set("seat", "5")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port, retry=Retry(NoBackoff(), 0)).ping()
        os.kill(server.pid, signal.SIGKILL)
        server.restart()
        assert server.port == port
        assert redis.Redis.from_url(server.url).get("seat") is None


def test_a_child_outlives_the_thread_that_asked_for_it():
    import threading

    started = []
    thread = threading.Thread(target=lambda: started.append(children.spawn(["sleep", "60"])))
    thread.start()
    thread.join()
    time.sleep(0.1)
    try:
        assert started[0].poll() is None
    finally:
        children.stop(started[0], how=signal.SIGTERM, seconds=5)


def test_the_owner_of_a_port_is_named(open_folder):
    with ValkeyServer(open_folder, for_tests=True) as server:
        assert children.port_owner(server.port).endswith(f", {server.pid}")
        assert children.port_is_taken(server.port)
    assert children.port_owner(server.port) == ""
