"""Runs are kept in the process: asked for seldom, by one thread, usable while nobody answers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from chassis.peers import Peer, PeerUnavailable
from order import definitions
from order.clients.ticket import TicketClient
from order.definitions import Definitions, RunNotFound

FRESH_SECONDS = 0.2


@pytest.fixture
def kept(catalogue, catalogue_server):
    return Definitions(
        TicketClient(Peer("ticket", catalogue_server[1])), fresh_seconds=FRESH_SECONDS
    )


@pytest.fixture
def parsed(monkeypatch):
    """Every definition that is parsed, by its version."""
    versions = []

    def parse(definition):
        versions.append(definition["version"])
        return real(definition)

    real = definitions.parse_run
    monkeypatch.setattr(definitions, "parse_run", parse)
    return versions


def test_a_run_is_asked_for_once_while_it_is_fresh(kept, catalogue, run_id):
    asked = catalogue.asked

    runs = {id(kept.get(run_id)) for _ in range(50)}

    assert catalogue.asked - asked == 1
    assert len(runs) == 1


def test_a_new_version_is_seen_after_the_freshness_time(kept, catalogue, run_id):
    assert kept.get(run_id).version == 1
    catalogue.change(run_id, online_charge_minor=9_000)
    assert kept.get(run_id).version == 1

    time.sleep(FRESH_SECONDS)

    assert kept.get(run_id).version == 2
    assert kept.get(run_id).online_charge_minor == 9_000


def test_an_unchanged_definition_is_neither_sent_nor_parsed_again(kept, catalogue, run_id, parsed):
    first = kept.get(run_id)
    asked = catalogue.asked
    time.sleep(FRESH_SECONDS)

    again = kept.get(run_id)

    assert catalogue.asked - asked == 1
    assert again is first
    assert parsed == [1]


def test_while_the_catalogue_is_down_what_is_known_is_used(kept, catalogue, run_id):
    known = kept.get(run_id)
    time.sleep(FRESH_SECONDS)
    catalogue.down = True
    asked = catalogue.asked

    assert all(kept.get(run_id) is known for _ in range(20))

    assert catalogue.asked - asked == 1
    with pytest.raises(PeerUnavailable):
        kept.get(uuid4())


def test_an_unknown_run_is_not_found_and_not_asked_for_at_each_request(kept, catalogue):
    unknown = uuid4()
    asked = catalogue.asked

    for _ in range(20):
        with pytest.raises(RunNotFound):
            kept.get(unknown)

    assert catalogue.asked - asked == 1


def test_a_run_that_was_unknown_is_found_when_it_comes(kept, catalogue, monkeypatch):
    monkeypatch.setattr(definitions, "UNKNOWN_SECONDS", 0.05)
    run_id = uuid4()
    with pytest.raises(RunNotFound):
        kept.get(run_id)
    other = catalogue.add_run()
    catalogue.definitions[run_id] = {**catalogue.definitions[other], "run_id": str(run_id)}

    time.sleep(0.06)

    assert kept.get(run_id).run_id == run_id


def test_one_thread_asks_while_the_others_use_what_is_stale(kept, catalogue, run_id):
    kept.get(run_id)
    catalogue.change(run_id)
    time.sleep(FRESH_SECONDS)
    asked, catalogue.slow_seconds = catalogue.asked, 0.5
    barrier = threading.Barrier(10)

    def get(_):
        barrier.wait()
        begun = time.monotonic()
        return kept.get(run_id).version, time.monotonic() - begun

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(get, range(10)))

    waited = [version for version, seconds in found if seconds > 0.4]
    assert catalogue.asked - asked == 2  # what has changed, and the definition
    assert waited == [2]
    assert [version for version, seconds in found if seconds <= 0.4] == [1] * 9


def test_many_who_ask_for_a_run_nobody_knows_yet_ask_once(kept, catalogue, run_id):
    asked, catalogue.slow_seconds = catalogue.asked, 0.2

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: kept.get(run_id).version, range(10)))

    assert found == [1] * 10
    assert catalogue.asked - asked == 1


def test_what_has_changed_is_asked_for_once_for_all_runs(kept, catalogue, parsed):
    run_ids = [catalogue.add_run() for _ in range(30)]
    first = [kept.get(run_id) for run_id in run_ids]
    catalogue.change(run_ids[7])
    time.sleep(FRESH_SECONDS)
    asked = catalogue.asked

    again = [kept.get(run_id) for run_id in run_ids]

    assert catalogue.asked - asked == 2
    assert [run.version for run in again] == [1] * 7 + [2] + [1] * 22
    assert all(run is known for run, known in zip(again, first, strict=True) if run.version == 1)
    assert parsed == [1] * 30 + [2]


def test_a_long_list_of_changes_is_read_to_its_end(kept, catalogue, monkeypatch):
    """The catalogue's whole life, page by page, when a process has just begun."""
    monkeypatch.setattr(definitions, "CHANGES_A_PAGE", 2)
    monkeypatch.setattr(catalogue, "answer", paged(catalogue.answer, 2))
    run_ids = [catalogue.add_run() for _ in range(5)]
    for run_id in run_ids:
        kept.get(run_id)
    for run_id in run_ids:
        catalogue.change(run_id)
    time.sleep(FRESH_SECONDS)
    assert [kept.get(run_id).version for run_id in run_ids] == [2] * 5


def paged(answer, size):
    def page(path, etag):
        status, body, current = answer(path, etag)
        if "run-changes" in path:
            body = {"changes": body["changes"][:size]}
        return status, body, current

    return page


def test_a_change_that_is_heard_of_while_the_run_is_fetched_is_not_missed(
    kept, catalogue, run_id, monkeypatch
):
    """The catalogue answered with the version before, and has told of the change meanwhile."""
    other = catalogue.add_run()
    kept.get(other)
    time.sleep(FRESH_SECONDS)
    real = kept._client.definition

    def slow(asked, *, etag=""):
        found = real(asked, etag=etag)
        if asked == run_id and not etag:
            catalogue.change(run_id)
            kept.get(other)
        return found

    monkeypatch.setattr(kept._client, "definition", slow)
    assert kept.get(run_id).version == 1
    time.sleep(FRESH_SECONDS)
    assert kept.get(run_id).version == 2
