"""Finds code fences in Markdown."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Block", "blocks", "only_block"]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    first: int
    """The line on which the fence opens."""
    last: int
    """The line on which the fence closes; the text's last line if it is never closed."""


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in order. A block that is never closed, as in a cut-off answer, runs to the end."""
    lines = text.splitlines()
    fenced: list[Block] = []
    opened: tuple[str, int, str] | None = None
    for number, line in enumerate(lines):
        bare = line.strip()
        mark = _fence(bare)
        if opened is None:
            if mark:
                opened = (mark, number, bare[len(mark) :].strip())
        elif mark.startswith(opened[0]) and bare == mark:
            fenced.append(_block(lines, opened, number))
            opened = None
    if opened is not None:
        fenced.append(_block(lines, opened, len(lines)))
    return fenced


def only_block(text: str) -> Block | None:
    """The block, if the text is one fenced block and nothing else."""
    fenced = blocks(text.strip())
    lines = len(text.strip().splitlines())
    return fenced[0] if len(fenced) == 1 and fenced[0].first == 0 and fenced[0].last >= lines - 1 else None


def _fence(line: str) -> str:
    for mark in ("`", "~"):
        run = len(line) - len(line.lstrip(mark))
        if run >= 3 and mark not in line[run:]:
            return line[:run]
    return ""


def _block(lines: list[str], opened: tuple[str, int, str], last: int) -> Block:
    _, first, info = opened
    language = info.split()[0].lower() if info else ""
    return Block(language, "\n".join(lines[first + 1 : last]), first, min(last, len(lines) - 1))
