"""
What an import took, repaired and refused, and why; nothing is dropped or changed in silence.

Every kind of thing is counted twice, as it is read and as it is taken or refused, so a row that
got lost between the two shows as a report that does not balance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    kind: str
    outcome: str
    rule: str
    item: str
    detail: str


@dataclass
class Report:
    title: str
    rules: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def reads(self, kind: str, count: int = 1) -> None:
        self.read[kind] += count

    def takes(self, kind: str, count: int = 1) -> None:
        self.taken[kind] += count

    def repairs(self, kind: str, item: str, *, rule: str, detail: str) -> None:
        self.entries.append(Entry(kind, "repaired", rule, item, detail))

    def refuses(self, kind: str, item: str, *, rule: str, detail: str) -> None:
        """Count the item as refused: call it once for each item that was read and not taken."""
        self.entries.append(Entry(kind, "refused", rule, item, detail))

    def notes(self, kind: str, item: str, *, rule: str, detail: str) -> None:
        """Remark on something that was taken as it is."""
        self.entries.append(Entry(kind, "noted", rule, item, detail))

    def refused(self, kind: str) -> int:
        return sum(1 for entry in self._of(kind, "refused"))

    def repaired(self, kind: str) -> int:
        """Count the items that were repaired; one with two repairs is one item."""
        return len({entry.item for entry in self._of(kind, "repaired")})

    def unbalanced(self) -> list[str]:
        """Name the kinds for which taken and refused do not add up to what was read."""
        kinds = [kind for kind in self.read if not self._balances(kind)]
        return kinds + [kind for kind in self.taken if kind not in self.read]

    def as_markdown(self) -> str:
        parts = [f"# {self.title}", _paragraphs(self.rules), "## Counts", self._count_table()]
        for outcome in ("refused", "repaired", "noted"):
            parts += [f"## {outcome.capitalize()}", self._entry_table(outcome)]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _of(self, kind: str, outcome: str) -> list[Entry]:
        return [entry for entry in self.entries if (entry.kind, entry.outcome) == (kind, outcome)]

    def _balances(self, kind: str) -> bool:
        return self.read[kind] == self.taken[kind] + self.refused(kind)

    def _count_table(self) -> str:
        rows = [
            (kind, self.read[kind], self.taken[kind], self.repaired(kind), self.refused(kind))
            for kind in self.read
        ]
        return _table(("kind", "read", "taken", "of these repaired", "refused"), rows)

    def _entry_table(self, outcome: str) -> str:
        entries = [entry for entry in self.entries if entry.outcome == outcome]
        if not entries:
            return "Nothing."
        counted = Counter((entry.kind, entry.rule) for entry in entries)
        sums = _table(("kind", "why", "count"), [(*key, n) for key, n in counted.items()])
        rows = [(entry.kind, entry.item, entry.rule, entry.detail) for entry in entries]
        return sums + "\n\n" + _table(("kind", "item", "why", "what was done"), rows)


def _paragraphs(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _plain(cell: object) -> str:
    return str(cell).replace("|", "/").replace("\n", " ")
