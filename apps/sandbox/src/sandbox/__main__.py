"""
`python -m sandbox`: one gunicorn worker with threads, on 127.0.0.1 unless told otherwise.

One process, because the background threads live in it; SQLite keeps everything else.
"""

import logging
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from sandbox.app import create_app
from sandbox.background import Background
from sandbox.settings import Settings

THREADS = 16


class Server(BaseApplication):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": 1,
            "threads": THREADS,
            "worker_class": "gthread",
            # Longer than any caller keeps a connection, so that none is closed under a request.
            "keepalive": 75,
            "graceful_timeout": 5,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in the worker, so the threads start where they will live."""
        app = create_app(self._settings)
        Background(self._settings, app.extensions["store"]).start()
        return app


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    Server(Settings.from_env()).run()


if __name__ == "__main__":
    main()
