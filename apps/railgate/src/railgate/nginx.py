"""
The gateway's behaviours as an nginx configuration, for machines that have nginx: it
forwards a request for a third of the processor time.

What nginx cannot do as the other gateway does: it asks a second time at once, without
a pause, says `service_unavailable` also where a service broke off its answer, passes on
headers that `Connection` names, and does not let a service move while it runs.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader

from railgate.problems import PAGE_HEADERS, REFUSALS

# The text is for nginx, not for a browser: HTML escapes would break it.
_texts = Environment(loader=PackageLoader("railgate", "pages"), autoescape=False)  # noqa: S701  # nosec B701
# A person who waits keeps a connection; nginx reserves half a kilobyte for each that it may have.
CONNECTIONS_MAX = 32_768
REQUEST_ID_VARIABLE = "$railgate_request_id"


def become_nginx(
    program: str,
    folder: Path,
    *,
    host: str,
    port: int,
    upstreams: Mapping[str, str],
    page: str,
    now_serving: Path,
) -> None:
    """
    Replace this process, so that whoever started it watches nginx itself. It comes back only where
    nginx does not take the configuration, as one before 1.19.5 does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        render(
            folder,
            host=host,
            port=port,
            upstreams=upstreams,
            now_serving=now_serving,
            connections=_raise_files_limit(),
        )
    )
    words = [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    if checked.returncode == 0:
        os.execv(program, words)  # noqa: S606
    print(f"{program} cannot be the gateway: {checked.stderr.strip()}", file=sys.stderr)


def _raise_files_limit() -> int:
    """Let this process, and what it becomes, open as many files as it may; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def render(
    folder: Path,
    *,
    port: int,
    upstreams: Mapping[str, str],
    now_serving: Path | None = None,
    host: str = "127.0.0.1",
    connections: int = 1_024,
) -> str:
    problems = [
        {
            "code": code,
            "status": refusal.status,
            "body": json.dumps(refusal.members(code, REQUEST_ID_VARIABLE)),
            "headers": refusal.headers,
        }
        for code, refusal in REFUSALS.items()
    ]
    return _texts.get_template("nginx.conf").render(
        folder=folder,
        host=host,
        port=port,
        connections=connections,
        now_serving=now_serving,
        upstreams={name: address.partition("://")[2] for name, address in upstreams.items()},
        problems=problems,
        page_headers=PAGE_HEADERS,
        is_root=os.getuid() == 0,
    )
