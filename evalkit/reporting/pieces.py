"""What comparisons and verdicts have in common when they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from evalkit.comparison import Member, Unpaired
from evalkit.results import Run

__all__ = ["cell", "draw", "members_entry", "plain", "row", "run_entry", "unpaired_entry"]


def run_entry(run: Run) -> dict[str, Any]:
    return {"run_id": run.run_id, "model": run.label, "path": str(run.path), "status": run.status}


def unpaired_entry(unpaired: Unpaired) -> dict[str, int]:
    return {
        "only_baseline": unpaired.only_baseline,
        "only_candidate": unpaired.only_candidate,
        "prompt_differs": unpaired.prompt_differs,
        "outside_limit": unpaired.outside_limit,
        "without_prompt_hash": unpaired.without_prompt_hash,
    }


def members_entry(members: Iterable[Member]) -> dict[str, Any]:
    return {
        member.name: {
            "n": member.n,
            "baseline": member.baseline,
            "candidate": member.candidate,
            "delta": member.delta,
            "flips": {"lost": member.lost, "gained": member.gained},
        }
        for member in members
    }


def draw(
    console: Any, title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int, optional: Sequence[str]
) -> None:
    """A table on a terminal. Cells are rich markup; the first `words` columns hold words, the others figures.

    Where the window is too narrow, `optional` columns go, one after the other: a figure is never cut short.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    lines = [list(line) for line in rows]
    kept = list(range(len(head)))
    for away in ("", *optional):
        kept = [i for i in kept if head[i] != away]
        table = Table(
            title=escape(title) or None,
            title_justify="left",
            header_style="bold",
            box=SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for i in kept:
            table.add_column(head[i], justify="left" if i < words else "right", no_wrap=True)
        for line in lines:
            table.add_row(*(line[i] for i in kept))
        if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
            break
    else:
        for column in table.columns:
            column.no_wrap, column.overflow = False, "fold"
    console.print(table)


def row(cells: Sequence[str]) -> str:
    """A line of a markdown table."""
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def cell(text: str) -> str:
    """Runs and models are called anything: no name may open a column, a tag or a line, or call somebody."""
    clean = " ".join(plain(text).split())
    for mark, instead in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "'")):
        clean = clean.replace(mark, instead)
    return re.sub(r"(?<!\w)@(?=\w)", "@\u200b", clean)


def plain(text: str) -> str:
    """Without the control characters that XML forbids."""
    return "".join(c for c in text if c in "\t\n" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff")
