"""The table of a rehearsal, and whether it was a good one."""

from collections import Counter
from dataclasses import dataclass, field

from ci.rehearsal.purchases import Asked, Ledger

SHOWN_FAILURES = 10


@dataclass(frozen=True)
class Phase:
    """What was asked from one step to the next."""

    name: str
    asked: list[Asked]
    drained_seconds: float | None = None

    @property
    def failures(self) -> list[Asked]:
        return [one for one in self.asked if one.failure]

    @property
    def slowest_ms(self) -> float:
        return max((one.seconds for one in self.asked), default=0.0) * 1000

    def line(self) -> str:
        versions = Counter(one.version for one in self.asked if one.version)
        drained = "" if self.drained_seconds is None else f"{self.drained_seconds:6.1f} s"
        return (
            f"{self.name:<34} {len(self.asked):>8} {len(self.failures):>8}"
            f" {self.slowest_ms:>8.0f} ms {versions['next']:>8} {drained:>9}"
        )


@dataclass
class Outcome:
    service: str
    phases: list[Phase]
    ledger: Ledger
    marks: dict[str, int]
    audit: tuple[bool, str]
    faults: list[str] = field(default_factory=list)

    def verdicts(self) -> list[str]:
        """Say what is wrong; empty is a good rehearsal."""
        wrong = list(self.faults)
        failures = [one for one in self.ledger.asked if one.failure]
        if failures:
            wrong.append(f"{len(failures)} of {len(self.ledger.asked)} requests failed")
        if self.ledger.unfinished:
            wrong.append(f"{len(self.ledger.unfinished)} purchases were begun and not finished")
        if not self.ledger.bought:
            wrong.append("nothing was bought, so nothing is proved")
        if not any(one.version == "next" for one in self.ledger.asked):
            wrong.append("the next version answered nobody, so nothing is proved")
        is_clean, _ = self.audit
        if not is_clean:
            wrong.append("the audit found the books wrong")
        return wrong

    def text(self) -> str:
        head = f"{'':<34} {'requests':>8} {'failures':>8} {'slowest':>11} {'by next':>8}"
        lines = [f"{head} {'drained':>9}", *(phase.line() for phase in self.phases), ""]
        failures = [one for one in self.ledger.asked if one.failure]
        shown = failures[:SHOWN_FAILURES]
        lines += [f"  {one.method} {one.path}: {one.failure}" for one in shown]
        if not self.audit[0]:
            lines.append(self.audit[1])
        of_next, filled = self.marks.get("next", 0), self.marks.get("backfill", 0)
        lines.append(
            f"{len(self.ledger.bought)} tickets bought and paid; rows that the next version wrote:"
            f" {of_next}, backfilled: {filled}, untouched: {self.marks.get('none', 0)}"
        )
        wrong = self.verdicts()
        verdict = f"FAILED: {'; '.join(wrong)}." if wrong else "Passed: no request was lost."
        return "\n".join([*lines, f"{self.service}: {verdict}"])
