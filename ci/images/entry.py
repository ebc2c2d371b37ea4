"""
What an image runs, without a shell: `web` (the default), `worker`, `healthy`, or a command of the
service with its words, `migrate` for one. RAILGATE_SERVICE says whose image it is.
"""

import os
import sys
import urllib.request

HEALTH_SECONDS = 3


def command_of(service: str, words: list[str]) -> list[str]:
    """Whatever runs takes this process's place, so that SIGTERM reaches it."""
    verb = words[0] if words else "web"
    if verb == "worker":
        return [sys.executable, "-m", f"{service}.worker"]
    if verb != "web":
        return [sys.executable, "-m", f"{service}.commands", *words]
    if service == "sandbox":
        return [sys.executable, "-m", "sandbox"]
    if service == "railgate":
        return [sys.executable, "-m", "railgate.gateway"]
    gunicorn = ["-m", "gunicorn", "-c", "python:chassis.gunicorn_conf"]
    return [sys.executable, *gunicorn, f"{service}.app:create_app()"]


def health_url(environ: dict[str, str]) -> str:
    """The sandbox and the gateway are told a PORT, a service an address to bind."""
    if environ["RAILGATE_SERVICE"] in {"sandbox", "railgate"}:
        port = environ["PORT"]
    else:
        port = environ["WEB_BIND"].rpartition(":")[2]
    return f"http://127.0.0.1:{port}/healthz"


def is_healthy() -> bool:
    try:
        with urllib.request.urlopen(health_url(dict(os.environ)), timeout=HEALTH_SECONDS) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    if sys.argv[1:] == ["healthy"]:
        sys.exit(0 if is_healthy() else 1)
    command = command_of(os.environ["RAILGATE_SERVICE"], sys.argv[1:])
    os.execv(command[0], command)
