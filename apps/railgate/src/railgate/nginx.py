"""
The gateway's behaviours as an nginx configuration, for machines that have nginx: it
forwards a request for a third of the processor time.

What nginx cannot do as the other gateway does: it asks a second time at once, without
a pause, and says `service_unavailable` also where a service broke off its answer.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from jinja2 import Environment, PackageLoader

from railgate.problems import PAGE_HEADERS, REFUSALS

# The text is for nginx, not for a browser: HTML escapes would break it.
_texts = Environment(loader=PackageLoader("railgate", "pages"), autoescape=False)  # noqa: S701  # nosec B701
REQUEST_ID_VARIABLE = "$railgate_request_id"


def become_nginx(
    program: str,
    folder: Path,
    *,
    port: int,
    upstreams: Mapping[str, str],
    page: str,
    now_serving: Path,
) -> NoReturn:
    """Replace this process, so that whoever started it watches nginx itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        render(folder, port=port, upstreams=upstreams, now_serving=now_serving)
    )
    words = [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    os.execv(program, words)  # noqa: S606


def render(
    folder: Path, *, port: int, upstreams: Mapping[str, str], now_serving: Path | None = None
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
        port=port,
        now_serving=now_serving,
        upstreams={name: address.partition("://")[2] for name, address in upstreams.items()},
        problems=problems,
        page_headers=PAGE_HEADERS,
        is_root=os.getuid() == 0,
    )
