"""
SonarQube: sends the analysis and waits for the server's gate (`make sonar`), and writes the gate's
bars into the server (`make sonar-gate`). Where SONAR_HOST_URL or SONAR_TOKEN is missing it asks
nothing, and says so.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
from ci.pipeline import bars
from ci.pipeline.gates import Result, Workspace, failed, not_run, passed, ran, tool

GATE = "Railgate"
PULL_REQUESTS = "railgate-pull-requests"
ACCOUNT = ("SONAR_HOST_URL", "SONAR_TOKEN")
REQUEST = re.compile(r"^refs/pull/(\d+)/")


def sonar_gate(space: Workspace) -> Result:
    missing = [name for name in ACCOUNT if not os.environ.get(name)]
    if missing:
        if refused := refusals(space):
            return failed("the scanner refuses its configuration", refused)
        return not_run(f"NO SERVER WAS ASKED: {' and '.join(missing)} not set")
    if (scanner := tool("pysonar")) is None:
        return not_run("There is no pysonar here.")
    ended = ran(scanner, *options(os.environ), cwd=space.root)
    space.build.mkdir(exist_ok=True)
    (space.build / "sonar.txt").write_text(ended.stdout + ended.stderr)
    if ended.returncode:
        return failed(
            "the server's gate, or the analysis", (ended.stdout + ended.stderr).splitlines()[-15:]
        )
    return passed(f"the server's gate at {os.environ['SONAR_HOST_URL']}")


def refusals(space: Workspace) -> list[str]:
    """What can be said without a server, once the tests have written what it would be sent."""
    scanner = tool("pysonar")
    if scanner is None or not (space.build / "coverage.xml").exists():
        return []
    ended = ran(scanner, "--dry-run", "--token", "none", cwd=space.root)
    return (ended.stdout + ended.stderr).splitlines()[-5:] if ended.returncode else []


def options(environment: Mapping[str, str]) -> list[str]:
    """
    A pull request is decorated where the edition knows branches (SONAR_KNOWS_BRANCHES=true); the
    edition that does not gets it as a project of its own, so that main's figures stay main's.
    """
    request = REQUEST.match(environment.get("GITHUB_REF", ""))
    if request is None:
        return []
    if not knows_branches(environment):
        return [f"-Dsonar.projectKey={PULL_REQUESTS}"]
    return [
        f"-Dsonar.pullrequest.key={request[1]}",
        f"-Dsonar.pullrequest.branch={environment['GITHUB_HEAD_REF']}",
        f"-Dsonar.pullrequest.base={environment['GITHUB_BASE_REF']}",
    ]


def knows_branches(environment: Mapping[str, str]) -> bool:
    return environment.get("SONAR_KNOWS_BRANCHES") == "true"


def projects(environment: Mapping[str, str], main: str) -> list[str]:
    """All that analyses are sent to; the gate is selected for each."""
    return [main] if knows_branches(environment) else [main, PULL_REQUESTS]


class Server:
    """The part of SonarQube's web interface that keeps quality gates and names projects."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=30)

    def conditions(self, gate: str) -> list[dict[str, Any]] | None:
        answer = self._http.get("/api/qualitygates/show", params={"name": gate})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return answer.raise_for_status().json().get("conditions", [])

    def has_project(self, key: str) -> bool:
        answer = self._http.get("/api/components/show", params={"component": key})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return False
        answer.raise_for_status()
        return True

    def tell(self, action: str, **fields: str) -> None:
        self._http.post(f"/api/{action}", data=fields).raise_for_status()


def write_gate(server: Server, wanted: dict[str, float], held: Iterable[str]) -> None:
    """
    The gate has these conditions afterwards and no other: SonarQube fills a new gate itself. A
    project in `held` that was never analysed is made, so that no analysis of it meets another gate.
    """
    if server.conditions(GATE) is None:
        server.tell("qualitygates/create", name=GATE)
    for action, fields in amendments(server.conditions(GATE) or [], wanted):
        server.tell(f"qualitygates/{action}", **fields)
    for project in held:
        if not server.has_project(project):
            server.tell("projects/create", project=project, name=project)
        server.tell("qualitygates/select", gateName=GATE, projectKey=project)


def amendments(
    there: list[dict[str, Any]], wanted: dict[str, float]
) -> Iterator[tuple[str, dict[str, str]]]:
    known = {condition["metric"]: condition for condition in there}
    for metric, condition in known.items():
        if metric not in wanted:
            yield "delete_condition", {"id": str(condition["id"])}
    for metric, bar in wanted.items():
        fields = {"metric": metric, "op": bars.operator(metric), "error": f"{bar:g}"}
        if metric not in known:
            yield "create_condition", {"gateName": GATE, **fields}
        elif any(known[metric].get(name) != value for name, value in fields.items()):
            yield "update_condition", {"id": str(known[metric]["id"]), **fields}


def main() -> None:
    argparse.ArgumentParser(description="Write the gate's bars into the server.").parse_args()
    missing = [name for name in ACCOUNT if not os.environ.get(name)]
    if missing:
        sys.exit(f"NOTHING WAS WRITTEN: {' and '.join(missing)} not set.")
    read = bars.properties()
    server = Server(os.environ["SONAR_HOST_URL"], os.environ["SONAR_TOKEN"])
    held = projects(os.environ, read["sonar.projectKey"])
    write_gate(server, bars.bars(read), held)
    print(f"The gate {GATE} holds {', '.join(held)} to {len(bars.bars(read))} conditions.")


if __name__ == "__main__":
    main()
