"""What Terraform itself finds, what is said where it cannot look, and how it comes to a runner."""

import hashlib
import io
import shutil
import zipfile

import pytest
from ci.infrastructure import __main__ as infrastructure
from ci.infrastructure import installing, terraform
from ci.infrastructure.checking import PLANNED, unplanned
from ci.infrastructure.terraform import NothingChecked, Terraform
from ci.manifests.rendering import ROOT


@pytest.fixture
def copied(tmp_path):
    """A copy of terraform/, to spoil."""
    if terraform.program() is None:
        pytest.skip(terraform.WITHOUT_TERRAFORM)
    unwanted = shutil.ignore_patterns(".terraform")
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=unwanted)
    return Terraform(tmp_path / "terraform", tmp_path / "work")


def spoil(copied, path, old, new):
    file = copied.folder / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_file_that_is_not_laid_out_is_named(copied):
    assert list(copied.misshapen()) == []
    spoil(copied, "envs/dev/main.tf", 'environment              = "dev"', 'environment="dev"')
    assert [fault.where for fault in copied.misshapen()] == ["envs/dev/main.tf"]


def test_a_public_database_fails_terraforms_own_test(copied):
    spoil(
        copied, "modules/rds_postgres/main.tf",
        "publicly_accessible    = false", "publicly_accessible    = true",
    )  # fmt: skip
    try:
        checked = copied.check_root("envs/dev")
    except NothingChecked as why:
        pytest.skip(str(why))
    assert any("Nobody outside reaches the data" in str(fault) for fault in checked.faults)


def test_a_broken_reference_is_named_with_its_place(copied):
    spoil(copied, "bootstrap/outputs.tf", "module.key.arn", "module.keys.arn")
    try:
        checked = copied.check_root("bootstrap")
    except NothingChecked as why:
        pytest.skip(str(why))
    assert any("bootstrap" in str(fault) and "keys" in str(fault) for fault in checked.faults)


@pytest.mark.parametrize("root", PLANNED)
def test_a_root_that_no_test_has_planned_is_named(root, plans):
    assert unplanned(plans) == []
    del plans[root]
    assert [fault.where for fault in unplanned(plans)] == [root]


def test_without_terraform_nothing_is_called_good(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(terraform, "program", lambda: None)
    with pytest.raises(NothingChecked, match="NOTHING WAS CHECKED"):
        Terraform(ROOT / "terraform", tmp_path)
    assert infrastructure.main() == 2
    assert "NOTHING WAS CHECKED" in capsys.readouterr().err


def test_without_a_provider_nothing_is_called_good(monkeypatch, tmp_path):
    if terraform.program() is None:
        pytest.skip(terraform.WITHOUT_TERRAFORM)
    empty = tmp_path / "no-plugins"
    empty.mkdir()
    with pytest.raises(NothingChecked, match="NOTHING WAS CHECKED"):
        Terraform(ROOT / "terraform", tmp_path / "work", str(empty)).check_root("bootstrap")


def packed(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("terraform", content)
    return archive.getvalue()


def test_an_archive_with_another_checksum_is_not_unpacked(tmp_path):
    with pytest.raises(installing.WrongArchive):
        installing.install(packed(b"evil"), f"sha256:{0:064}", tmp_path)
    assert not (tmp_path / "terraform").exists()


def test_the_archive_that_was_published_is_unpacked(tmp_path):
    archive = packed(b"#!/bin/sh\n")
    checksum = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    program = installing.install(archive, checksum, tmp_path)
    assert program.stat().st_mode & 0o111
