"""
How gunicorn runs a service: `gunicorn -c python:chassis.gunicorn_conf 'order.app:create_app()'`.

Workers are as many as cores, with threads; keep-alive outlives the gateway's so that the gateway,
not the service, closes an idle connection; SIGTERM lets requests in hand finish.
"""

import os
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


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it so
    """A dead worker's gauges leave the sum."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
