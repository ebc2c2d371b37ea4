"""
Every question that is put to Prometheus: alerts, release analyses and dashboards. Whether it is
one is promtool's to say; what it asks for is read here.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from ci.manifests.faults import Fault
from ci.manifests.rendering import Environment, name_of

WITHOUT_PROMTOOL = (
    "NO QUERY WAS PARSED: promtool comes with Prometheus (Debian and Ubuntu: apt-get install "
    "prometheus); `make pipeline GATES=alerts` tests the alerts with it."
)
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool"} | {
    "group_left",
    "group_right",
    "inf",
    "nan",
}
_LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])")
_RULES = re.compile(r'\burl_rule\s*(=~|!~|!=|=)\s*"([^"]*)"')
_PLACE = re.compile(r'rule \d+, "asked:q(\d+)": (.*)')
# What Grafana puts in by itself.
_FILLED_IN = {"$__range": "3h", "$__rate_interval": "1m", "$__interval": "1m"}


@dataclass(frozen=True)
class Query:
    where: str
    text: str

    @property
    def series(self) -> set[str]:
        """The metrics it asks for; labels, functions and durations are none."""
        bare = re.sub(r'"[^"]*"', '""', self.text)
        bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
        return set(_NAME.findall(_LABEL_LISTS.sub(" ", bare))) - WORDS

    @property
    def url_rules(self) -> set[str]:
        found = set()
        for sign, value in _RULES.findall(self.text):
            found |= set(value.split("|")) if "~" in sign else {value}
        return found


def queries_of_rules(environment: Environment) -> Iterator[Query]:
    for body in environment.of_kind("PrometheusRule"):
        for group in body["spec"]["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                yield Query(f"{environment.where(body)} {name}", rule["expr"])


def queries_of_analyses(environment: Environment) -> Iterator[Query]:
    for body in environment.of_kind("AnalysisTemplate"):
        for metric in body["spec"]["metrics"]:
            asked = metric["provider"].get("prometheus")
            if asked:
                text = asked["query"]
                for one in body["spec"].get("args", []):
                    text = text.replace(f"{{{{args.{one['name']}}}}}", one.get("value", "any"))
                yield Query(f"{environment.where(body)} {metric['name']}", text)


def recorded_in(environment: Environment) -> set[str]:
    return {
        rule["record"]
        for body in environment.of_kind("PrometheusRule")
        for group in body["spec"]["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def alerts_in(environment: Environment) -> list[dict]:
    """Several may have one name, told apart by their labels."""
    return [
        rule | {"where": f"{environment.name}: {name_of(body)}"}
        for body in environment.of_kind("PrometheusRule")
        for group in body["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def promtool() -> str | None:
    return shutil.which("promtool")


def not_parsed(queries: Iterable[Query]) -> Iterator[Fault]:
    """What promtool says of each that it cannot read; without promtool nothing is said."""
    listed = list(dict.fromkeys(queries))
    program = promtool()
    if program is None or not listed:
        return
    rules = [
        {"record": f"asked:q{n}", "expr": filled_in(query.text)} for n, query in enumerate(listed)
    ]
    with tempfile.TemporaryDirectory(prefix="railgate-") as folder:
        path = Path(folder, "queries.yaml")
        path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
        done = subprocess.run(
            [program, "check", "rules", path], capture_output=True, text=True, check=False
        )
    said = _PLACE.findall(done.stdout + done.stderr)
    for number, what in said:
        yield Fault("promql", listed[int(number)].where, what.strip())
    if done.returncode and not said:
        yield Fault("promql", "promtool", (done.stderr or done.stdout).strip()[:500])


def filled_in(text: str) -> str:
    for name, value in _FILLED_IN.items():
        text = text.replace(name, value)
    return text
