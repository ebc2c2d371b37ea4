"""
Copied code, found as SonarQube finds it: ten lines or more in a row, of a hundred tokens or more,
that stand in two places alike but for comments, blank lines and indentation's width.
"""

import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LINES_MIN = 10
TOKENS_MIN = 100
WORD = re.compile(r"\w+|[^\w\s]")
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER,
          tokenize.INDENT, tokenize.DEDENT}  # fmt: skip


@dataclass(frozen=True)
class CodeLine:
    number: int
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Copy:
    """The same lines in two places; both ranges are inclusive."""

    path: str
    first: int
    last: int
    other_path: str
    other_first: int
    other_last: int

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.first}-{self.last} is also "
            f"{self.other_path}:{self.other_first}-{self.other_last}"
        )


def code_lines(path: Path) -> list[CodeLine]:
    text = path.read_text(encoding="utf-8")
    found: dict[int, list[str]] = defaultdict(list)
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in SILENT:
                found[token.start[0]].append(token.string)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            found[number] += WORD.findall(line)
    return [CodeLine(number, tuple(tokens)) for number, tokens in sorted(found.items()) if tokens]


def copies(files: dict[str, list[CodeLine]]) -> list[Copy]:
    """Every pair of places once; runs of equal windows are joined into one copy."""
    windows: dict[tuple[tuple[str, ...], ...], list[tuple[str, int]]] = defaultdict(list)
    for path, lines in files.items():
        for start in range(len(lines) - LINES_MIN + 1):
            window = tuple(line.tokens for line in lines[start : start + LINES_MIN])
            windows[window].append((path, start))
    diagonals: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for places in windows.values():
        for i, (path, start) in enumerate(places):
            for other, other_start in places[i + 1 :]:
                diagonals[path, other, other_start - start].append(start)
    found = []
    for (path, other, distance), starts in diagonals.items():
        for first, last in _joined(sorted(starts)):
            end = last + LINES_MIN - 1
            tokens = sum(len(line.tokens) for line in files[path][first : end + 1])
            if tokens >= TOKENS_MIN:
                mine, theirs = files[path], files[other]
                found.append(Copy(
                    path, mine[first].number, mine[end].number,
                    other, theirs[first + distance].number, theirs[end + distance].number,
                ))  # fmt: skip
    return sorted(found, key=str)


def _joined(starts: list[int]) -> Iterable[tuple[int, int]]:
    """[3, 4, 5, 9] -> (3, 5), (9, 9)."""
    first = last = starts[0]
    for start in starts[1:]:
        if start > last + 1:
            yield first, last
            first = start
        last = start
    yield first, last


def copied_lines(found: Iterable[Copy]) -> dict[str, set[int]]:
    lines: dict[str, set[int]] = defaultdict(set)
    for copy in found:
        lines[copy.path].update(range(copy.first, copy.last + 1))
        lines[copy.other_path].update(range(copy.other_first, copy.other_last + 1))
    return lines
