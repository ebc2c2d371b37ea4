"""The four keys, from a made-up history of releases in a repository of its own."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from ci.manifests.delivery_report import history, judge, main, readable
from ci.manifests.releases import NOTHING, release_path

BEGAN = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


class Line:
    """A repository in which every commit has the hour that the test says."""

    def __init__(self, root):
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")
        for environment in ("dev", "prod"):
            self.write(environment, NOTHING)
        self.commit(0, "Begin")

    def git(self, *words, hour=0):
        moment = (BEGAN + timedelta(hours=hour)).isoformat()
        names = {"NAME": "Somebody", "EMAIL": "somebody@railgate.example", "DATE": moment}
        made = {
            f"GIT_{who}_{key}": v for who in ("AUTHOR", "COMMITTER") for key, v in names.items()
        }
        command = ["git", "-C", str(self.root), *words]
        done = subprocess.run(
            command, env=os.environ | made, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, environment, digest, service="order"):
        path = self.root / release_path(environment, service)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"images:\n  - name: railgate/{service}\n    digest: {digest}\n")

    def commit(self, hour, *paragraphs):
        self.git("add", "--all", hour=hour)
        words = [word for text in paragraphs for word in ("-m", text)]
        self.git("commit", "--quiet", "--allow-empty", *words, hour=hour)
        return self.git("rev-parse", "HEAD")

    def change(self, hour):
        return self.commit(hour, "order: Change something")

    def release(self, hour, environment, digest, source=None):
        self.write(environment, digest)
        paragraphs = [f"{environment}: Release order"]
        self.commit(hour, *paragraphs, *([f"Source: {source}"] if source else []))


@pytest.fixture
def line(tmp_path):
    return Line(tmp_path)


def report(line, since=BEGAN):
    return judge("order", history(line.root, "prod", "order"), since=since)


def test_lead_time_counts_from_the_code_not_from_the_release_before(line):
    source = line.change(1)
    line.release(2, "dev", A, source)
    line.release(25, "prod", A)
    found = report(line)
    assert (found.releases, found.lead_time, found.taken_back) == (1, timedelta(hours=24), 0)


def test_a_release_that_is_taken_back_has_failed_and_back_is_no_delivery(line):
    for hour, digest in ((0, A), (10, B)):
        line.release(hour + 1, "dev", digest, line.change(hour))
        line.release(hour + 5, "prod", digest)
    line.release(16, "prod", A)
    found = report(line)
    assert (found.releases, found.taken_back, found.failed_share) == (2, 1, 0.5)
    assert found.time_to_restore == timedelta(hours=1)


def test_a_repair_forward_is_no_failure_that_git_knows_of(line):
    for hour, digest in ((1, A), (2, B), (3, C)):
        line.release(hour, "prod", digest)
    assert report(line).taken_back == 0


def test_a_commit_that_moves_no_digest_is_no_release(line):
    line.release(1, "prod", A)
    path = line.root / release_path("prod", "order")
    path.write_text(f"# The release.\n{path.read_text()}")
    line.commit(2, "gitops: Say what this is")
    assert report(line).releases == 1


def test_what_is_older_is_not_counted_and_a_digest_without_source_has_no_lead_time(line):
    line.release(1, "prod", A)
    line.release(50, "prod", B)
    found = report(line, since=BEGAN + timedelta(hours=40))
    assert (found.releases, found.lead_time) == (1, None)


def test_the_table_names_every_service_of_the_environment(line, capsys):
    line.write("prod", NOTHING, service="payment")
    line.release(2, "dev", A, line.change(1))
    line.release(3, "prod", A)
    assert main(["--days", "30"], root=line.root, now=BEGAN + timedelta(days=3)) == 0
    said = capsys.readouterr().out
    assert "| order | 1 | 2.0 h | 0 (0%) | - |" in said
    assert "| payment | 0 | - | - | - |" in said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (None, "-"),
        (timedelta(minutes=42), "42 min"),
        (timedelta(hours=5, minutes=30), "5.5 h"),
        (timedelta(days=3), "3.0 d"),
    ],
)
def test_a_length_of_time_is_readable(length, said):
    assert readable(length) == said
