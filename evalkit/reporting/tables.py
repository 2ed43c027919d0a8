"""Draws tables for the width of the terminal: no word is broken, no name is cut and no line is too long.

If a table is too wide, headings and prose are wrapped first. Then columns that may be dropped are left out and named
below the table. As a last resort, each row becomes a block of lines with one cell per line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalkit import safe
from evalkit.reporting.wrapping import longest_word, pad, width_of, wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Cell", "Column", "Table", "draw", "fits", "lay_out", "note", "open_console", "quote", "room", "say"]

UNLIMITED = 100_000
"""The width if there is no terminal: in a pipe every row is one line."""

_GAP = 2
_PROSE = 24
"""If less width than this is left, a block shows a value below its title instead of beside it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, how its cells may wrap, and when it is left out."""

    title: str
    kind: Literal["name", "figure", "prose", "text"] = "name"
    """name, figure: on one line. prose: wraps between words. text: keeps its own lines and wraps between words."""
    drop: int = 0
    """If the terminal is too narrow, columns with 1 are left out first, then those with 2 …; 0 is always shown."""
    least: int = 24
    """The width below which prose is not squeezed as long as other columns can be left out."""

    def __post_init__(self) -> None:
        """Titles hold names of models, tasks and metrics, which come from outside."""
        object.__setattr__(self, "title", safe.line(self.title))


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


@dataclass(frozen=True)
class Table:
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]]
    title: str = ""
    headings: bool = True


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints text unchanged: no markup, no emoji names, no automatic colours."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


def room(console: Console) -> int:
    """The number of columns that a line may have."""
    return console.width if console.is_terminal or os.environ.get("COLUMNS") else UNLIMITED


def draw(console: Console, table: Table) -> None:
    """Print the table at the console's width."""
    for line in lay_out(table, room(console)):
        console.print(line, soft_wrap=True)


def fits(console: Console, table: Table, *, without_drops: bool = False) -> bool:
    """Whether the table fits as a grid, with all its columns or only with those that are always shown."""
    rows = _clean(table)
    shown = [place for place, column in enumerate(table.columns) if not (without_drops and column.drop)]
    return _widths(table, rows, shown, room(console)) is not None


def say(console: Console, text: str, style: str = "", *, indent: int = 0) -> None:
    """Print a sentence, wrapped between words."""
    from rich.text import Text

    for part in wrapped(safe.line(text), room(console) - indent):
        console.print(Text(" " * indent + part, style), soft_wrap=True)


def note(text: str, kind: str = "note") -> None:
    """Print a note for the user on stderr."""
    print(f"{kind}: {safe.line(text)}", file=sys.stderr)


def quote(console: Console, text: str, style: str = "", *, indent: int = 0) -> None:
    """Print text of several lines, each wrapped between words."""
    from rich.text import Text

    for line in safe.terminal(text).expandtabs(4).split("\n"):
        for part in wrapped(line, room(console) - indent):
            console.print(Text(" " * indent + part, style), soft_wrap=True)


def lay_out(table: Table, width: int) -> list[Text]:
    """The lines of the table, none wider than `width`."""
    from rich.text import Text

    rows = _clean(table)
    lines = [Text(part, "italic") for part in wrapped(safe.line(table.title), width)] if table.title else []
    for squeezed in (False, True):
        shown = _shown(table, rows, width, squeezed)
        if widths := _widths(table, rows, shown, width, squeezed):
            away = [column.title for place, column in enumerate(table.columns) if place not in shown]
            return lines + _grid(table, rows, shown, widths) + _left_out(away, width)
    return lines + _blocks(table, rows, width)


def _clean(table: Table) -> list[list[Cell]]:
    return [[_cell(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]


def _cell(cell: Cell | str, column: Column) -> Cell:
    style = "" if isinstance(cell, str) else cell.style
    text = cell if isinstance(cell, str) else cell.text
    if column.kind == "text":
        return Cell(safe.terminal(text).expandtabs(4), style)
    indent = len(text) - len(text.lstrip(" "))
    return Cell(" " * indent + safe.line(text), style)


def _shown(table: Table, rows: Sequence[Sequence[Cell]], width: int, squeezed: bool) -> list[int]:
    """The columns that must be shown, and those of the others that fit, in the reverse order of `drop`."""
    shown = [place for place, column in enumerate(table.columns) if not column.drop]
    others = [place for place in range(len(table.columns)) if place not in shown]
    for place in sorted(others, key=lambda place: -table.columns[place].drop):
        more = sorted([*shown, place])
        if _widths(table, rows, more, width, squeezed):
            shown = more
    return shown


# ── as a grid ────────────────────────────────────────────────────────────────


def _widths(
    table: Table, rows: Sequence[Sequence[Cell]], shown: Sequence[int], width: int, squeezed: bool = False
) -> list[int] | None:
    """The width of each column; None if they do not fit. `squeezed`: prose may be as narrow as its longest word."""
    least, most = [], []
    for place in shown:
        column = table.columns[place]
        texts = [row[place].text for row in rows]
        natural = max((width_of(part) for text in texts for part in text.split("\n")), default=0)
        words = max((longest_word(text) for text in texts), default=0)
        wraps = column.kind in ("prose", "text")
        title = longest_word(column.title) if table.headings else 0
        wanted = words if squeezed else max(words, column.least)
        least.append(max(title, min(natural, wanted) if wraps else natural))
        most.append(max(natural, width_of(column.title) if table.headings else 0))
    spare = width - sum(least) - _GAP * (len(shown) - 1)
    if spare < 0:
        return None
    # The spare width goes first to headings, so that they fit on one line, then to the prose.
    for prose in (False, True):
        wanting = [i for i, place in enumerate(shown) if (table.columns[place].kind in ("prose", "text")) is prose]
        spare = _spread(least, most, wanting, spare)
    return least


def _spread(least: list[int], most: Sequence[int], places: Sequence[int], spare: int) -> int:
    """Spread the spare width evenly over the columns at these places; returns what is left."""
    wanting = [place for place in places if least[place] < most[place]]
    while spare and wanting:
        for place in wanting:
            if spare:
                added = min(most[place] - least[place], max(1, spare // len(wanting)), spare)
                least[place] += added
                spare -= added
        wanting = [place for place in wanting if least[place] < most[place]]
    return spare


def _grid(table: Table, rows: Sequence[Sequence[Cell]], shown: Sequence[int], widths: Sequence[int]) -> list[Text]:
    from rich.text import Text

    columns = [table.columns[place] for place in shown]
    lines: list[Text] = []
    if table.headings:
        heads = [wrapped(column.title, width) for column, width in zip(columns, widths, strict=True)]
        tallest = max(len(head) for head in heads)
        heads = [[""] * (tallest - len(head)) + head for head in heads]
        lines += _beside(columns, widths, heads, ["bold"] * len(columns))
        lines.append(Text("─" * (sum(widths) + _GAP * (len(widths) - 1)), "dim"))
    for row in rows:
        cells = [row[place] for place in shown]
        parts = [_broken(cell.text, column, width) for cell, column, width in zip(cells, columns, widths, strict=True)]
        lines += _beside(columns, widths, parts, [cell.style for cell in cells])
    return lines


def _broken(text: str, column: Column, width: int) -> list[str]:
    if column.kind == "text":
        return [part for line in text.split("\n") for part in wrapped(line, width)]
    return wrapped(text, width) if column.kind == "prose" else [text]


def _beside(
    columns: Sequence[Column], widths: Sequence[int], parts: Sequence[Sequence[str]], styles: Sequence[str]
) -> list[Text]:
    """The lines of one row: its cells side by side, each padded to its column."""
    from rich.text import Text

    lines = []
    for number in range(max(len(part) for part in parts)):
        line, missing = Text(), 0
        for column, width, part, style in zip(columns, widths, parts, styles, strict=True):
            text = part[number] if number < len(part) else ""
            before, after = pad(text, width, right=column.kind == "figure")
            line.append(" " * (missing + before) if text else "")
            line.append(text, style or None)
            missing = (after if text else missing + width) + _GAP
        lines.append(line)
    return lines


def _left_out(away: Sequence[str], width: int) -> list[Text]:
    from rich.text import Text

    if not away:
        return []
    remark = f"too narrow for: {', '.join(away)}"
    return [Text(part, "dim") for part in wrapped(remark, width)]


# ── as blocks ────────────────────────────────────────────────────────────────


def _blocks(table: Table, rows: Sequence[Sequence[Cell]], width: int) -> list[Text]:
    """Each row as a block: its first cell as a heading, then a line for each of the others."""
    from rich.text import Text

    titles = [width_of(column.title) for column in table.columns[1:]] if table.headings else []
    lines: list[Text] = []
    for row in rows:
        head, *rest = zip(table.columns, row, strict=True)
        if head[1].text.strip():
            lines += [Text(part, head[1].style or "bold") for part in wrapped(head[1].text, width)]
        for column, cell in rest:
            if cell.text.strip():
                lines += _entry(column.title if titles else "", cell, max(titles, default=0), width)
    return lines


def _entry(title: str, cell: Cell, titles: int, width: int) -> list[Text]:
    """A cell with its title to the left, or above it if there is too little room."""
    from rich.text import Text

    margin = " " * _GAP
    beside = width - titles - 2 * _GAP
    if title and "\n" not in cell.text and longest_word(cell.text) <= beside and beside >= _PROSE:
        first, *more = wrapped(cell.text.strip(), beside)
        label = Text(margin).append(title, "dim").append(" " * (titles - width_of(title) + _GAP))
        return [label.append(first, cell.style or None), *(_indented(titles + 2 * _GAP, part, cell) for part in more)]
    lines = [Text(margin).append(title, "dim")] if title else []
    parts = [part for line in cell.text.split("\n") for part in wrapped(line, width - 2 * _GAP)]
    return [*lines, *(_indented(2 * _GAP, part, cell) for part in parts)]


def _indented(columns: int, text: str, cell: Cell) -> Text:
    from rich.text import Text

    return Text(" " * columns).append(text, cell.style or None)
