"""
How gunicorn runs a service: `gunicorn -c python:chassis.gunicorn_conf 'order.app:create_app()'`.

Workers are as many as cores, with threads; keep-alive outlives the gateway's so that the gateway,
not the service, closes an idle connection; SIGTERM lets requests in hand finish.
"""

import os
from pathlib import Path
from typing import Any

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
keepalive = 75
timeout = 30
graceful_timeout = 25
accesslog = None
errorlog = "-"
loglevel = "warning"
# Two services of one user would share the default path of the control socket.
control_socket_disable = True
worker_tmp_dir = os.environ.get("WEB_TMP_DIR") or None


def on_starting(server: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """A container that is started again finds its folder as it was, with numbers of the dead."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for path in Path(folder).glob("*.db") if folder else ():
        path.unlink(missing_ok=True)


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """What the last requests left behind is written before the process goes."""
    from chassis.batches import flush_batches

    flush_batches()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """A dead worker's gauges leave the sum."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
