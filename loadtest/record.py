"""What one generator sees: each answer with its time, each passenger with an end."""

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

BOUGHT, SOLD_OUT, GAVE_UP = "bought", "sold out", "gave up"
REFUSED, WALKED_AWAY, NO_ANSWER = "refused", "walked away", "no answer"
ENDS = (BOUGHT, SOLD_OUT, GAVE_UP, REFUSED, WALKED_AWAY, NO_ANSWER)


@dataclass
class Story:
    """One passenger's way. `number` is the place in the line; moments are epoch seconds."""

    account: str
    kind: str
    wanted: str
    arrived_at: float
    number: int | None = None
    is_early: bool = False
    joined_at: float | None = None
    served_at: float | None = None
    attempts: int = 0
    requests: int = 0
    seats: int = 0
    ended_at: float = 0.0
    end: str = ""
    why: str = ""


@dataclass
class Record:
    answers: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    by_second: dict[int, Counter] = field(default_factory=lambda: defaultdict(Counter))
    bystanders: list[tuple[float, str, float, bool]] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    ends: Counter = field(default_factory=Counter)
    cheats: Counter = field(default_factory=Counter)
    seat_attempts: Counter = field(default_factory=Counter)
    arrived: int = 0
    late_seconds: list[float] = field(default_factory=list)

    def answered(self, step: str, outcome: str, seconds: float) -> None:
        self.answers[step, outcome].append(round(seconds * 1e3, 2))
        self.by_second[int(time.time())][step] += 1

    def end(self, story: Story, end: str, why: str = "") -> None:
        story.end, story.why, story.ended_at = end, why, time.time()
        self.ends[end] += 1
        self.stories.append(story)

    @property
    def requests(self) -> int:
        return sum(len(times) for times in self.answers.values())

    def write(self, path: Path, **more: object) -> None:
        body = {
            "answers": [[*key, times] for key, times in self.answers.items()],
            "by_second": {second: dict(steps) for second, steps in self.by_second.items()},
            "bystanders": self.bystanders,
            "stories": [vars(story) for story in self.stories],
            "ends": dict(self.ends),
            "cheats": dict(self.cheats),
            "seat_attempts": dict(self.seat_attempts),
            "late_seconds": self.late_seconds,
            **more,
        }
        path.write_text(json.dumps(body))
