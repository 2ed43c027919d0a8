"""What a curve says in words."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["NotesOnce", "number", "place"]


class NotesOnce:
    """Notes in the order they came, each once."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._lines = dict.fromkeys(lines)

    def add(self, line: str) -> None:
        self._lines[line] = None

    @property
    def lines(self) -> list[str]:
        return list(self._lines)


def place(x: float) -> str:
    """A place on the axis: 63,000 or 2.5."""
    return f"{x:,}"


def number(value: float) -> str:
    """A figure with four digits: 0.3988, 3.667e+06."""
    return f"{value:.4f}" if 0.001 <= abs(value) < 10 or value == 0 else f"{value:,.4g}"
