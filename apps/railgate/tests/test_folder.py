"""The folder that keeps a town: its keys, who holds it, and the commands about one that rests."""

import stat

import pytest

from railgate import commands, keys
from railgate.launching import DataFolderBroken, hold_folder


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path):
    path = tmp_path / "keys.json"
    first = keys.load_keys(path, ["order"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load_keys(path, ["order"]) == first
    assert len(set(first.values())) == len(first)
    assert first["access_token_key"].startswith("-----BEGIN PRIVATE KEY-----")


def test_a_key_that_is_added_later_leaves_the_others(tmp_path):
    path = tmp_path / "keys.json"
    first = keys.load_keys(path, ["order"])
    second = keys.load_keys(path, ["order", "waitingroom"])
    assert set(second) - set(first) == {"waitingroom_database_password"}
    assert first.items() <= second.items()


@pytest.mark.parametrize("text", ["", "{half", "[]"])
def test_damaged_keys_are_refused_not_replaced(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(DataFolderBroken, match="is damaged"):
        keys.load_keys(path, [])
    assert path.read_text() == text


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with hold_folder(tmp_path), pytest.raises(DataFolderBroken.__base__):
        hold_folder(tmp_path)
    hold_folder(tmp_path).close()


def test_reset_removes_the_folder(tmp_path, capsys):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "keys.json").write_text("{}")
    assert commands.main(["--folder", str(folder), "reset"]) == 0
    assert not folder.exists()
    assert commands.main(["--folder", str(folder), "reset"]) == 0
    assert "There is nothing" in capsys.readouterr().out


def test_status_without_a_run_says_how_to_start(tmp_path, capsys):
    (tmp_path / "state.json").write_text("{}")
    assert commands.main(["--folder", str(tmp_path), "status"]) == 1
    assert "make run" in capsys.readouterr().out


@pytest.mark.parametrize("wanted", ["", "eighty", "0", "-1", "65500"])
def test_a_base_port_that_is_none_is_one_clear_sentence(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv("RAILGATE_PORT", wanted)
    with pytest.raises(SystemExit, match="is no port"):
        commands.main(["--folder", str(tmp_path), "run"])
