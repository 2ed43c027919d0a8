"""Wraps text between words, by its width on a terminal: a Hangul syllable takes two columns."""

from __future__ import annotations

import re

__all__ = ["longest_word", "pad", "width_of", "wrapped"]

_JOINTS = re.compile(r"(?<=[/\\_\-.,:=+])(?=.)")
"""A word that is longer than a line may be broken after these signs."""


def width_of(text: str) -> int:
    """The number of columns that the text takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def longest_word(text: str) -> int:
    """The width of the longest word, including the indentation of a line before its first word."""
    indents = [len(line) - len(line.lstrip(" ")) for line in text.split("\n")]
    first = [width_of(line.split()[0]) if line.split() else 0 for line in text.split("\n")]
    words = [width_of(word) for word in text.split()]
    return max([*words, *(a + b for a, b in zip(indents, first, strict=True))], default=0)


def pad(text: str, width: int, *, right: bool) -> tuple[int, int]:
    """The number of spaces before and after the text in a column of this width."""
    spare = max(width - width_of(text), 0)
    return (spare, 0) if right else (0, spare)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken between words; at least one line.

    A word that is longer than a line is broken after a sign such as / or _; without such a sign, anywhere.
    """
    text = text.rstrip()
    if width_of(text) <= width:
        return [text]
    width = max(width, 2)  # a wide character needs two columns
    indent = " " * (len(text) - len(text.lstrip(" ")))
    if len(indent) > width // 2:
        indent = ""
    lines: list[str] = []
    current = indent
    for word in text.split():
        joined = f"{current} {word}" if current.strip() else f"{current}{word}"
        if width_of(joined) <= width:
            current = joined
            continue
        if current.strip():
            lines.append(current)
        *whole, current = _pieces(word, width, indent)
        lines += whole
    return [*lines, current] if current.strip() or not lines else lines


def _pieces(word: str, width: int, indent: str) -> list[str]:
    """The word in pieces that each fit on a line; most words are one piece."""
    pieces: list[str] = []
    current = indent
    for part in _JOINTS.split(word) if width_of(indent + word) > width else [word]:
        if width_of(current + part) > width and current.strip():
            pieces.append(current)
            current = indent
        for character in part if width_of(current + part) > width else [part]:
            if width_of(current + character) > width:
                pieces.append(current)
                current = indent
            current += character
    return [*pieces, current]
