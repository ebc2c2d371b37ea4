"""The table of a rehearsal, and whether it was a good one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ci.rehearsal.asking import Asked, Ledger

SHOWN_FAILURES = 10


@dataclass(frozen=True)
class Phase:
    """
    What was asked from one step to the next. From `moved_at` on every answer of the service has to
    come from the version named `leader`; before it, and where there is no leader, from either.
    """

    name: str
    service: str
    asked: list[Asked]
    leader: str = ""
    moved_at: float = float("inf")
    drained_seconds: float | None = None

    @property
    def failures(self) -> list[Asked]:
        return [one for one in self.asked if one.failure]

    @property
    def of_service(self) -> list[Asked]:
        return [one for one in self.asked if one.service == self.service]

    @property
    def by_next(self) -> int:
        return sum(1 for one in self.of_service if one.version == "next")

    @property
    def strays(self) -> list[Asked]:
        led = [one for one in self.of_service if one.at >= self.moved_at and one.version]
        return [one for one in led if one.version != self.leader]

    @property
    def slowest_ms(self) -> float:
        return max((one.seconds for one in self.asked), default=0.0) * 1000

    def line(self) -> str:
        drained = "" if self.drained_seconds is None else f"{self.drained_seconds:6.1f} s"
        return (
            f"{self.name:<34} {len(self.asked):>8} {len(self.of_service):>8} {self.by_next:>8}"
            f" {len(self.failures):>8} {self.slowest_ms:>8.0f} ms {drained:>9}"
        )


HEAD = (
    f"{'':<34} {'requests':>8} {'of it':>8} {'by next':>8} {'failures':>8} {'slowest':>11}"
    f" {'drained':>9}"
)


@dataclass
class Outcome:
    """
    `marks` are the rows by who marked them, `unmarked` the rows that the next version made and that
    do not bear its mark.
    """

    service: str
    phases: list[Phase]
    ledger: Ledger
    deeds: Sequence[str]
    marks: dict[str, int]
    unmarked: int
    audit: tuple[bool, str]
    faults: list[str] = field(default_factory=list)

    def verdicts(self) -> list[str]:
        """Say what is wrong; empty is a good rehearsal."""
        ledger, (is_clean, _) = self.ledger, self.audit
        strays = sum(len(phase.strays) for phase in self.phases)
        idle = [phase.name for phase in self.phases if not phase.of_service]
        failures, asked = len(ledger.failures), len(ledger.asked)
        judged = [
            (failures > 0, f"{failures} of {asked} requests failed"),
            (bool(ledger.unfinished), f"{len(ledger.unfinished)} visits were not finished"),
            *((not ledger.done[d], f"no {d}, so nothing is proved") for d in self.deeds),
            (bool(idle), f"nobody asked {self.service} in: {', '.join(idle)}"),
            (strays > 0, f"{strays} answers came from a version that had left"),
            (
                not any(phase.by_next for phase in self.phases),
                "the next version answered nobody, so nothing is proved",
            ),
            (
                not ledger.made_by(self.service, "next"),
                "the next version made no row, so nothing is proved",
            ),
            (self.unmarked > 0, f"{self.unmarked} rows of the next version do not bear its mark"),
            (not is_clean, "the audit found the books wrong"),
        ]
        return [*self.faults, *(said for is_wrong, said in judged if is_wrong), *ledger.broken]

    def text(self) -> str:
        lines = [HEAD, *(phase.line() for phase in self.phases), ""]
        shown = self.ledger.failures[:SHOWN_FAILURES]
        lines += [f"  {one.method} {one.path}: {one.failure}" for one in shown]
        if not self.audit[0]:
            lines.append(self.audit[1])
        lines += [f"{self._deeds()}; rows: {self._marks()}"]
        wrong = self.verdicts()
        verdict = f"FAILED: {'; '.join(wrong)}." if wrong else "Passed: no request was lost."
        return "\n".join([*lines, f"{self.service}: {verdict}"])

    def _deeds(self) -> str:
        return ", ".join(f"{count} {deed}" for deed, count in sorted(self.ledger.done.items()))

    def _marks(self) -> str:
        made = len(self.ledger.made_by(self.service, "next"))
        counts = [self.marks.get(name, 0) for name in ("next", "backfill", "none")]
        return "{} made by next; {} marked, {} backfilled, {} untouched".format(made, *counts)

    def row(self) -> str:
        """One line of the published table."""
        of_service = [one for phase in self.phases for one in phase.of_service]
        slowest = max((phase.slowest_ms for phase in self.phases), default=0.0)
        drained = max((phase.drained_seconds or 0.0 for phase in self.phases), default=0.0)
        by_next = sum(phase.by_next for phase in self.phases)
        cells = [
            self.service, self._deeds(), f"{len(self.ledger.asked):,}", f"{len(of_service):,}",
            f"{by_next:,}", str(len(self.ledger.failures)), f"{slowest:.0f} ms",
            f"{drained:.1f} s", "clean" if self.audit[0] else "WRONG",
            "FAILED" if self.verdicts() else "passed",
        ]  # fmt: skip
        return f"| {' | '.join(cells)} |"


TABLE_HEAD = (
    "| service | done meanwhile | requests | of it | by next | failed | slowest | longest drain |"
    " books | |\n|---|---|---|---|---|---|---|---|---|---|"
)
