"""How gunicorn is told to run a service."""

from chassis import gunicorn_conf


def test_a_new_start_forgets_the_numbers_of_the_processes_before_it(tmp_path, monkeypatch):
    for name in ("counter_7.db", "gauge_livesum_8.db", "kept.txt"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    gunicorn_conf.on_starting(None)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_without_such_a_folder_nothing_is_deleted(tmp_path, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counter_7.db").touch()
    gunicorn_conf.on_starting(None)
    assert (tmp_path / "counter_7.db").exists()


def test_an_idle_connection_outlives_the_gateways_patience():
    assert gunicorn_conf.keepalive > 30
    assert gunicorn_conf.graceful_timeout < 45 - 10
