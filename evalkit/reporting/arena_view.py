"""Shows ratings from games on a terminal, as markdown and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from evalkit import safe
from evalkit.ranking.arena import Arena, Standing
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Column, Table, draw, open_console, say
from evalkit.types import JsonObject

__all__ = ["as_markdown", "records", "show"]

_HEAD = ("rank", "model", "rating", "95% interval", "against the anchor", "games")
_UNKNOWN = "–"


def records(arena: Arena) -> Sequence[JsonObject]:
    """One flat record for each model, with unrounded numbers."""
    flat = []
    for standing in arena.standings:
        record = asdict(standing)
        low, high = record.pop("ci95") or (None, None)
        first = {"rank": record.pop("rank"), "model": record.pop("model"), "rating": record.pop("rating")}
        flat.append({**first, "low": low, "high": high, **record})
    return flat


def as_markdown(arena: Arena) -> str:
    lines = [row(_HEAD), rule(len(_HEAD), words=2)]
    lines += [row(_cells(arena, standing)) for standing in arena.standings]
    return "\n".join([*lines, "", *(f"- {safe.markdown(note)}" for note in _notes(arena))]) + "\n"


def show(arena: Arena) -> None:
    console = open_console()
    columns = [Column(title, "name" if title == "model" else "figure") for title in _HEAD]
    draw(console, Table(columns, [_cells(arena, standing) for standing in arena.standings]))
    for note in _notes(arena):
        say(console, note, "dim")


def _cells(arena: Arena, standing: Standing) -> list[str]:
    digits = 1 if arena.scale == "elo" else 3
    rating = _UNKNOWN if standing.rating is None else f"{standing.rating:.{digits}f}"
    interval = _UNKNOWN if standing.ci95 is None else " to ".join(f"{bound:.{digits}f}" for bound in standing.ci95)
    rank = _UNKNOWN
    if standing.rank_low is not None and standing.rank_high is not None:
        same = standing.rank_low == standing.rank_high
        rank = str(standing.rank_low) if same else f"{standing.rank_low}–{standing.rank_high}"
    rate = _UNKNOWN if standing.win_rate is None else f"{100 * standing.win_rate:.1f}%"
    return [rank, standing.model, rating, interval, rate, f"{standing.games:,}"]


def _notes(arena: Arena) -> list[str]:
    notes = [
        f"{arena.anchor} is fixed; intervals and ranks at 95%, resampling {arena.questions:,} questions;"
        " a range of ranks is what the games cannot tell apart"
    ]
    if arena.questions < 30:
        notes.append(f"{arena.questions} questions are few: intervals from so few are too narrow")
    notes += [f"{standing.model}: {standing.reason}" for standing in arena.standings if standing.reason]
    return notes
