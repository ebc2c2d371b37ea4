"""A rehearsal passes when nothing is lost, and finds what a bad release does."""

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import psycopg2
import pytest
from ci.rehearsal.asking import Asked, Ledger, Visitor, visiting
from ci.rehearsal.crowds import CROWDS
from ci.rehearsal.next_release import HEADER, extend
from ci.rehearsal.purchases import BOUGHT
from ci.rehearsal.report import Outcome, Phase
from ci.rehearsal.versions import (
    EXPANSIONS,
    ROOT,
    RehearsalFailed,
    backfill,
    head_revision,
    marks,
    next_tree,
    old_tree,
    run_to_its_end,
    unmarked,
)
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Uuid
from sqlalchemy.orm import mapped_column

from chassis.application import Application
from chassis.shortcuts import Answer, Shortcut
from railgate.town import Program

FINE = Asked(at=1.0, seconds=0.1, method="GET", path="/api/order/x", version="next")


def an_outcome(
    *asked,
    deeds=(BOUGHT,),
    begun=(),
    made="next",
    missing=0,
    audit=(True, ""),
    faults=(),
    broken=(),
):
    ledger = Ledger(
        asked=list(asked), begun=list(begun), deeds=list(deeds), made=[("order", "a", made)],
        broken=list(broken),
    )  # fmt: skip
    phases = [Phase("switch 1", "order", list(asked), "next", 0.5, 0.5)]
    return Outcome("order", phases, ledger, (BOUGHT,), {"next": 1}, missing, audit, list(faults))


def test_a_good_rehearsal_has_nothing_against_it():
    outcome = an_outcome(FINE)
    assert outcome.verdicts() == []
    assert "Passed" in outcome.text()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (an_outcome(FINE, replace(FINE, failure="502, not 200")), "1 of 2 requests failed"),
        (an_outcome(FINE, begun=["b"]), "not finished"),
        (an_outcome(FINE, deeds=[]), "no tickets bought"),
        (an_outcome(FINE, made="old"), "the next version made no row"),
        (an_outcome(replace(FINE, at=0.1, version="old")), "the next version answered nobody"),
        (an_outcome(FINE, replace(FINE, version="old")), "1 answers came from a version that had"),
        (an_outcome(replace(FINE, path="/api/ticket/x")), "nobody asked order in: switch 1"),
        (an_outcome(FINE, missing=1), "1 rows of the next version do not bear its mark"),
        (an_outcome(FINE, audit=(False, "a seat is sold twice")), "books wrong"),
        (an_outcome(FINE, faults=["old did not drain in 35 s."]), "did not drain"),
        (an_outcome(FINE, broken=["a number was given twice"]), "given twice"),
    ],
)
def test_each_thing_that_went_wrong_fails_it(outcome, said):
    assert any(said in verdict for verdict in outcome.verdicts())
    assert "FAILED" in outcome.text()


def test_what_the_gateway_answers_by_itself_is_no_stray():
    polled = replace(FINE, path="/api/order/windows/x/now-serving", version="old")
    assert an_outcome(FINE, polled).verdicts() == []


def test_every_service_with_an_address_is_rehearsed_by_a_crowd_of_its_own():
    from railgate import town

    assert {service.name for service in town.SERVICES} == set(EXPANSIONS) == set(CROWDS)
    assert all(BOUGHT in crowd.deeds for crowd in CROWDS.values())


class Answering(BaseHTTPRequestHandler):
    """Answers 200 to one path and breaks off at every other."""

    def do_GET(self):
        if self.path != "/api/order/good":
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header(HEADER, "next")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def a_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield SimpleNamespace(base_url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def visits(*paths, then=None):
    """What is in the ledger after one visit that asks these paths."""
    ledger, is_done = Ledger(), threading.Event()

    class Asking(Visitor):
        def visit(self):
            self.stop()
            for path in paths:
                self.ask("GET", path, 200)
            if then is not None:
                then()

        def run(self):
            super().run()
            is_done.set()

    with a_server() as town, visiting([Asking(town, ledger)]):
        assert is_done.wait(20)
    return ledger


def test_a_visitor_asks_once_and_a_lost_answer_is_written_down():
    ledger = visits("/api/order/good", "/api/order/bad", "/api/order/never")
    assert [one.path for one in ledger.asked] == ["/api/order/good", "/api/order/bad"]
    assert [one.version for one in ledger.asked] == ["next", ""]
    assert "RemoteProtocolError" in ledger.failures[0].failure


def test_a_visitor_who_breaks_off_is_not_silently_missing():
    ledger = visits(then=lambda: next(iter(())))
    assert "broke off" in ledger.broken[0]


@pytest.mark.parametrize("service", sorted(EXPANSIONS))
def test_the_next_version_differs_by_a_migration_and_code(service, tmp_path):
    old = old_tree(service, tmp_path) / service
    new = next_tree(service, tmp_path) / service
    differing = {
        path.relative_to(new).as_posix()
        for path in new.rglob("*.py")
        if not (old / path.relative_to(new)).exists()
        or path.read_bytes() != (old / path.relative_to(new)).read_bytes()
    }
    assert differing == {"app.py", "next_release.py", "migrations/versions/rehearsal.py"}
    assert head_revision(new / "migrations" / "versions") == "rehearsal"
    for path in new.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")


def test_two_heads_are_no_base_for_a_migration(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = None\n')
    with pytest.raises(RehearsalFailed, match="heads"):
        head_revision(tmp_path)


def test_a_migration_that_hangs_is_stopped_and_fails_the_rehearsal(tmp_path, monkeypatch):
    monkeypatch.setattr("ci.rehearsal.versions.READY_SECONDS", 1.0)
    script = f"echo $$ >{tmp_path / 'pid'}; echo waits for a lock; exec sleep 60"
    hanging = Program("migration", ("sh", "-c", script), {"PATH": os.environ["PATH"]})
    with pytest.raises(RehearsalFailed, match="did not end in 1 s:\nwaits for a lock"):
        run_to_its_end(hanging, tmp_path / "log")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_backfill_waits_for_nobody_and_comes_back_for_the_rest(fresh_database):
    url = fresh_database
    expansion = EXPANSIONS["order"]
    with psycopg2.connect(url) as link, link.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (order_id int PRIMARY KEY, rehearsed_by text)")
        cursor.execute("INSERT INTO orders SELECT n FROM generate_series(1, 120) n")
    busy = psycopg2.connect(url)
    busy.cursor().execute("SELECT 1 FROM orders WHERE order_id <= 5 FOR UPDATE")
    filled = []
    filling = threading.Thread(target=lambda: filled.append(backfill(url, expansion)))
    filling.start()
    filling.join(10)
    assert filled == [115]
    busy.close()
    assert backfill(url, expansion) == 5
    assert marks(url, expansion) == {"backfill": 120}


def next_version_of_a_little_service(url):
    """One order, and a shortcut that answers for it before Flask is asked."""
    db, order_id = SQLAlchemy(), uuid.uuid4()

    class Order(db.Model):
        __tablename__ = "orders"
        order_id = mapped_column(Uuid, primary_key=True)

    app = Application("little")
    app.config["SQLALCHEMY_DATABASE_URI"] = url.replace("postgresql://", "postgresql+psycopg2://")
    db.init_app(app)
    with app.app_context():
        db.create_all()
        db.session.add(Order(order_id=order_id))
        db.session.commit()
    rule = "/api/order/orders/<uuid:order_id>"
    app.shortcuts = (Shortcut("PUT", rule, lambda _environ, _id: Answer(201, b"{}")),)
    return extend(app, db=db, model=Order, key="order_id", collection="orders"), str(order_id)


def add_column(url):
    with psycopg2.connect(url) as link, link.cursor() as cursor:
        cursor.execute("ALTER TABLE orders ADD COLUMN rehearsed_by text")


def test_the_next_version_marks_what_a_shortcut_answers(fresh_database):
    app, order_id = next_version_of_a_little_service(fresh_database)
    add_column(fresh_database)
    assert unmarked(fresh_database, EXPANSIONS["order"], [order_id]) == 1
    answer = app.test_client().put(f"/api/order/orders/{order_id}")
    assert (answer.status_code, answer.headers[HEADER]) == (201, "next")
    assert unmarked(fresh_database, EXPANSIONS["order"], [order_id]) == 0
    assert marks(fresh_database, EXPANSIONS["order"]) == {"next": 1}


def test_the_next_version_fails_without_its_migration_even_in_a_shortcut(fresh_database):
    app, order_id = next_version_of_a_little_service(fresh_database)
    with pytest.raises(Exception, match="rehearsed_by"):
        app.test_client().put(f"/api/order/orders/{order_id}")


@pytest.fixture
def fresh_database():
    import os

    from railgate import databases

    admin, name = os.environ["TEST_POSTGRES_ADMIN_URL"], f"rehearsal_{uuid.uuid4().hex[:8]}"
    with databases.connected(admin) as asking:
        databases.ensure_database(asking, name, None, None)
    yield databases.with_login(admin, name, None, None)
    with databases.connected(admin) as asking:
        databases.drop_database(asking, name)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_short_rehearsal_loses_nothing():
    """There and back once; `make rehearse` goes ten times."""
    words = ["--switches", "2", "--pause-seconds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "ci.rehearsal", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed: no request was lost." in done.stdout
