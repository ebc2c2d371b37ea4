"""A rehearsal passes when nothing is lost, and finds what a bad release does."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from ci.rehearsal.purchases import Asked, Ledger
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
)

FINE = Asked(at=1.0, seconds=0.1, method="GET", path="/api/order/x", version="next")


def an_outcome(*asked, bought=("a",), unfinished=(), audit=(True, ""), faults=()):
    ledger = Ledger(list(asked), list(bought), list(unfinished))
    phases = [Phase("switch 1", list(asked), 0.5)]
    return Outcome("order", phases, ledger, {"next": 1}, audit, list(faults))


def test_a_good_rehearsal_has_nothing_against_it():
    outcome = an_outcome(FINE)
    assert outcome.verdicts() == []
    assert "Passed" in outcome.text()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (an_outcome(FINE, replace(FINE, failure="502 instead of 200")), "1 of 2 requests failed"),
        (an_outcome(FINE, unfinished=["b"]), "not finished"),
        (an_outcome(FINE, bought=[]), "nothing was bought"),
        (an_outcome(replace(FINE, version="old")), "the next version answered nobody"),
        (an_outcome(FINE, audit=(False, "a seat is sold twice")), "books wrong"),
        (an_outcome(FINE, faults=["old did not drain in 35 s."]), "did not drain"),
    ],
)
def test_each_thing_that_went_wrong_fails_it(outcome, said):
    assert any(said in verdict for verdict in outcome.verdicts())
    assert "FAILED" in outcome.text()


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


def test_the_backfill_waits_for_nobody_and_comes_back_for_the_rest(fresh_database):
    import psycopg2

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


@pytest.fixture
def fresh_database():
    import os
    import uuid

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
    words = ["--switches", "2", "--buyers", "2", "--pause-seconds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "ci.rehearsal", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed: no request was lost." in done.stdout
