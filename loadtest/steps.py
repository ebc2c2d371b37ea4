"""The steps of the breakpoint: a rate each, and when one counts as broken."""

from dataclasses import dataclass, field

from loadtest.figures import percentile

STEP_SECONDS = 8.0
RATES = (25, 40, 60, 90, 130, 180, 250, 350, 500, 700, 1_000)
SLOW_MS, FAILED_SHARE, BEHIND_SHARE = 1_000.0, 0.01, 0.85
DAY_SHARE = 0.2


@dataclass
class Step:
    """One rate: what was asked, what came of it, and why it counts as broken, if it does."""

    rate: int
    began_at: float
    ended_at: float = 0.0
    asked: int = 0
    answered: int = 0
    failed: int = 0
    held: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def broken_by(self) -> str:
        if self.failed > FAILED_SHARE * max(self.asked, 1):
            return f"{self.failed} of {self.asked} requests failed"
        if self.times and percentile(self.times, 95) > SLOW_MS:
            return f"p95 of {percentile(self.times, 95):,.0f} ms"
        if self.answered < BEHIND_SHARE * self.asked:
            return f"only {self.answered} of {self.asked} answered in time"
        return ""
