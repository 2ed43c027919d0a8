"""Scores in the cells of a markdown table: a row for each dimension, or a column for each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.judging.reply_patterns import BARE, KEY

__all__ = ["table_cells"]

_CELL = re.compile(r"[^|\n]+")
_LINE = re.compile(r"[^\n]+")


def table_cells(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Each number with its name: that of its row, or of its column."""
    header: list[str] = []
    for line in _LINE.finditer(text):
        if "|" not in line.group():
            continue
        cells = [cell for cell in _CELL.finditer(text, line.start(), line.end()) if cell.group().strip()]
        if all(re.fullmatch(r"[\s:=-]+", cell.group()) for cell in cells):
            continue
        numbers = {place: n for place, cell in enumerate(cells) if (n := BARE.fullmatch(text, *cell.span()))}
        names = [_name(cell.group()) for place, cell in enumerate(cells) if place not in numbers]
        if not numbers:
            header = names
        elif names:
            # Of several numbers in a row, the one whose column is called a score.
            scored = [n for place, n in numbers.items() if len(header) == len(cells) and re.search(KEY, header[place])]
            candidates = list(numbers.values()) if len(numbers) == 1 else scored
            if len(candidates) == 1:
                yield names[0], candidates[0]
        elif len(header) == len(cells):
            yield from ((header[place], number) for place, number in numbers.items())


def _name(cell: str) -> str:
    return re.sub(r"[*_`]", " ", cell).strip().casefold()
