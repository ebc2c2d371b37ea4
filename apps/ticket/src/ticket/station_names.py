"""
Finding a name as somebody types it: in English or Bengali, without regard to case, accents,
spaces and punctuation, by the station's code, or by a name it had or is better known by.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Named = TypeVar("Named")
FOUND_MAX = 1_000
KEPT_MAX = 500

# Former spellings and names from daily life, by the name as the timetable writes it.
OTHER_NAMES = {
    "barishal": ("barisal",),
    "bimanbandar": ("dhakaairport", "airport"),
    "bogura": ("bogra",),
    "chapainawabganj": ("nawabganj",),
    "chattogram": ("chittagong", "ctg"),
    "coxsbazar": ("coxsbazaar",),
    "cumilla": ("comilla",),
    "dhaka": ("dacca", "kamalapur"),
    "ishwardi": ("ishurdi",),
    "jashore": ("jessore",),
    "kishorganj": ("kishoreganj",),
    "netrakona": ("netrokona",),
    "sreemangal": ("srimangal",),
}


@dataclass(frozen=True)
class SearchKey:
    """A name without its spaces, and where in it words begin."""

    letters: str
    starts: tuple[int, ...]
    is_other: bool = False

    def rank(self, query: str) -> tuple[int, bool] | None:
        """
        The beginning is best, then the beginning of a word, then anywhere else; among equals the
        name itself comes before another name, so "Dhaka" is not its airport.
        """
        if self.letters.startswith(query):
            return 0, self.is_other
        if any(self.letters.startswith(query, start) for start in self.starts):
            return 1, self.is_other
        return (2, self.is_other) if query in self.letters else None


def letters_of(text: str) -> str:
    return "".join(_words(text))


def keys_of(name: str) -> list[SearchKey]:
    """The keys of a name and of the other names it is known by."""
    words = _words(name)
    keys = [_key(words)] if words else []
    for known, others in OTHER_NAMES.items():
        if keys and keys[0].letters.startswith(known):
            rest = keys[0].letters.removeprefix(known)
            keys += [_key([other, rest] if rest else [other], is_other=True) for other in others]
    return keys


def _key(words: list[str], *, is_other: bool = False) -> SearchKey:
    starts, length = [], 0
    for word in words:
        starts.append(length)
        length += len(word)
    return SearchKey("".join(words), tuple(starts), is_other)


def _words(text: str) -> list[str]:
    """Bengali vowel signs are marks and stay; Latin accents are marks and go."""
    kept = []
    for character in unicodedata.normalize("NFKD", text.casefold()):
        if "\u0300" <= character <= "\u036f" or character in "'’‘`\u200c\u200d":  # noqa: RUF001
            continue
        kept.append(character if unicodedata.category(character)[0] in "LMN" else " ")
    return "".join(kept).split()


class NameIndex(Generic[Named]):
    """
    Things with names; the first in the list wins among equals. What was found is kept, since
    everybody who types a name types the same beginnings.
    """

    def __init__(self, things: Iterable[tuple[Named, Iterable[str]]]) -> None:
        self._entries = [
            (thing, [key for name in names for key in keys_of(name)]) for thing, names in things
        ]
        self._found: dict[str, list[Named]] = {}

    def find(self, query: str, *, limit: int) -> list[Named]:
        """Beginnings first, then beginnings of words, then the rest; all without a query."""
        letters = letters_of(query)
        if not letters:
            return [] if query.strip() else [thing for thing, _ in self._entries[:limit]]
        found = self._found.get(letters)
        if found is None:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            found = self._found[letters] = self._search(letters)
        return found[:limit]

    def _search(self, letters: str) -> list[Named]:
        ranked = []
        for place, (thing, keys) in enumerate(self._entries):
            ranks = [rank for key in keys if (rank := key.rank(letters)) is not None]
            if ranks:
                ranked.append((min(ranks), place, thing))
        ranked.sort(key=lambda entry: entry[:2])
        return [thing for _, _, thing in ranked[:KEPT_MAX]]
