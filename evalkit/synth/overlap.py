"""Finds the rows of one file that stand in another, by shared runs of words or equal short texts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from evalkit.synth.textrows import text_rows
from evalkit.types import JsonObject

__all__ = ["GRAM", "Match", "Overlap", "find_overlap", "read_texts", "row_text"]

GRAM = 8
"""Words in a row that two texts must share. A shared run of 13 words, the other usual measure, contains one of 8."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Match:
    row: int
    """In the file that is looked at, from 0."""
    other: int
    """In the file that it is held against, from 0."""
    words: int
    """The longest shared run."""


@dataclass(frozen=True, slots=True)
class Overlap:
    rows: int
    matches: tuple[Match, ...]

    @property
    def matched(self) -> int:
        """Rows with a match."""
        return len({match.row for match in self.matches})


def find_overlap(texts: Iterable[str], others: Iterable[str], gram: int = GRAM) -> Overlap:
    """Every pair of rows that share `gram` words in a row. A shorter text matches an equal whole text alone.

    `others` is indexed in memory; `texts` is read row by row.
    """
    index = _Index(others, gram)
    matches: list[Match] = []
    rows = 0
    for row, text in enumerate(texts):
        rows += 1
        matches += (Match(row, other, count) for other, count in index.matches(_words(text)))
    return Overlap(rows, tuple(matches))


class _Index:
    """Where each run of words stands, and each short text."""

    def __init__(self, texts: Iterable[str], gram: int) -> None:
        self._gram = gram
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._short: dict[str, list[int]] = defaultdict(list)
        for row, text in enumerate(texts):
            words = _words(text)
            if 0 < len(words) < gram:
                self._short[" ".join(words)].append(row)
            for place, run in enumerate(_runs(words, gram)):
                self._places[run].append((row, place))

    def matches(self, words: list[str]) -> list[tuple[int, int]]:
        """(row, longest shared run) of every row that matches, in order."""
        if len(words) < self._gram:
            return [(row, len(words)) for row in self._short.get(" ".join(words), ())] if words else []
        # Runs that go on in both texts lie on one diagonal, at neighbouring places.
        diagonals: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, run in enumerate(_runs(words, self._gram)):
            for row, there in self._places.get(run, ()):
                diagonals[row, there - place].append(place)
        longest: dict[int, int] = {}
        for (row, _), places in diagonals.items():
            longest[row] = max(longest.get(row, 0), _longest_run(places) + self._gram - 1)
        return sorted(longest.items())


def _longest_run(places: list[int]) -> int:
    """The most consecutive numbers in an ascending list."""
    best = run = 1
    for before, place in pairwise(places):
        run = run + 1 if place == before + 1 else 1
        best = max(best, run)
    return best


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: list[str], gram: int) -> Iterator[str]:
    for start in range(len(words) - gram + 1):
        yield " ".join(words[start : start + gram])


def row_text(row: JsonObject) -> str | None:
    """The row's `text`, else `instruction` (or `question`), a blank line and `input`; None without any of them."""
    if isinstance(row.get("text"), str):
        return str(row["text"])
    asked = next((row[name] for name in ("instruction", "question") if isinstance(row.get(name), str)), None)
    if asked is None:
        return None
    given = row.get("input")
    return f"{asked}\n\n{given}" if isinstance(given, str) and given else str(asked)


def read_texts(path: Path) -> Iterator[str]:
    """The texts of a JSONL file, row by row. A row without one is named by line."""
    for _, text, _ in text_rows(path, row_text, "`text`, `instruction` or `question` is wanted"):
        yield text
