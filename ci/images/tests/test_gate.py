"""The gate of images, with an engine and a scanner that say what a test wants to hear."""

import json
import os
import subprocess

import pytest
from ci.images import parts
from ci.pipeline import images
from ci.pipeline.changes import Scope
from ci.pipeline.gates import State, Workspace

LOCK = "flask==3.1.2 \\\n    --hash=sha256:" + "a" * 64 + "\n"
DEBIAN = """Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1
Description: a library
 Version: of the description

Package: gone
Status: deinstall ok config-files
Architecture: amd64
"""
INSIDE = {"python": [["Flask", "3.1.2"]], "debian": DEBIAN}


class Place:
    """A repository whose `make image` does as told, and programs that are found first."""

    def __init__(self, root, monkeypatch):
        self.root, self.programs = root, root / "programs"
        self.programs.mkdir()
        monkeypatch.setenv("PATH", f"{self.programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(images, "ENGINES", ("podman",))
        monkeypatch.setattr(images, "SCANNERS", {"trivy": images.SCANNERS["trivy"]})
        monkeypatch.setattr(images.shutil, "which", self.found)
        (root / "apps").mkdir()
        (root / "apps" / "requirements.txt").write_text(LOCK)
        self.makefile("true")
        self.engine(INSIDE)

    def found(self, name, **_):
        return str(self.programs / name) if (self.programs / name).exists() else None

    def makefile(self, command):
        (self.root / "Makefile").write_text(f"image:\n\t{command}\n")

    def program(self, name, script):
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def engine(self, inside):
        (self.root / "inside.json").write_text(json.dumps(inside))
        self.program("podman", f'case "$*" in *run*) cat {self.root}/inside.json ;; esac')

    def gate(self):
        scope = Scope(frozenset({"order"}), frozenset({"order"}), journeys=True)
        return images.images_gate(Workspace(scope, None, self.root, self.root / "build"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


def test_what_is_built_and_listed_and_not_scanned_is_not_called_good(place):
    result = place.gate()
    assert result.state == State.NOT_RUN
    assert "SCANNED NONE" in result.sentence


def test_a_clean_scan_passes_and_leaves_the_images_own_parts_list(place):
    place.program("trivy", "exit 0")
    assert place.gate().state == State.PASSED
    listing = json.loads((place.root / "build" / "sbom-order.cdx.json").read_text())
    assert [one["purl"] for one in listing["components"]] == [
        "pkg:pypi/flask@3.1.2", "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64",
    ]  # fmt: skip
    assert listing["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert listing["metadata"]["component"]["name"] == "railgate/order"


def test_an_image_that_cannot_be_built_fails(place):
    place.makefile("echo 'no such package' >&2; false")
    result = place.gate()
    assert result.state == State.FAILED
    assert "no such package" in " ".join(result.faults)


@pytest.mark.parametrize("planted", [["leftpad", "1.0"], ["flask", "3.1.1"]])
def test_a_package_in_an_image_that_is_not_locked_fails(place, planted):
    place.program("trivy", "exit 0")
    place.engine({**INSIDE, "python": [planted]})
    result = place.gate()
    assert (result.state, result.sentence) == (State.FAILED, "not locked")
    assert planted[0] in result.faults[0]


def test_an_image_that_says_nothing_of_itself_fails(place):
    place.program("podman", 'case "$*" in *run*) echo "no python here" >&2; exit 127 ;; esac')
    assert "could not be asked" in place.gate().faults[0]


def test_a_vulnerable_image_fails_with_the_count(place):
    found = json.dumps({"Results": [{"Vulnerabilities": [{"VulnerabilityID": "CVE-1"}]}]})
    place.program(
        "trivy",
        'while [ "$1" != --output ]; do shift; done\n' + f"echo '{found}' >\"$2\"\nexit 1",
    )
    result = place.gate()
    assert result.state == State.FAILED
    assert result.faults == ("order: 1 vulnerabilities (build/image-order.json)",)


def test_a_scanner_that_broke_off_is_not_a_clean_one(place):
    place.program("trivy", "exit 2")
    assert "the scanner broke off" in place.gate().faults[0]


def test_the_program_that_tells_the_parts_runs_on_any_python():
    done = subprocess.run(
        ["python3", "-"], input=parts.TELLING, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"python", "debian"}
