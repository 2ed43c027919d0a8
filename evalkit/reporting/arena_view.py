"""Shows ratings from games on a terminal, as markdown and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from evalkit import safe
from evalkit.ranking.arena import Arena, Standing
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Column, Table, draw, open_console, say
from evalkit.types import JsonObject

__all__ = ["as_markdown", "cells", "records", "show"]

_HEAD = ("rank", "model", "rating", "95% interval", "against the anchor", "games")
_EQUAL = "at equal length"
_UNKNOWN = "–"


def records(arena: Arena) -> Sequence[JsonObject]:
    """One flat record for each model, with unrounded numbers."""
    flat = []
    for standing in arena.standings:
        record = asdict(standing)
        low, high = record.pop("ci95") or (None, None)
        record["equal_length_low"], record["equal_length_high"] = record.pop("equal_length_ci95") or (None, None)
        first = {"rank": record.pop("rank"), "model": record.pop("model"), "rating": record.pop("rating")}
        flat.append({**first, "low": low, "high": high, **record})
    return flat


def as_markdown(arena: Arena) -> str:
    head, rows, notes = cells(arena)
    lines = [row(head), rule(len(head), words=2), *map(row, rows)]
    return "\n".join([*lines, "", *(f"- {safe.markdown(note)}" for note in notes)]) + "\n"


def cells(arena: Arena) -> tuple[tuple[str, ...], list[list[str]], list[str]]:
    """The titles, the rows as text, and the notes below them."""
    head = _HEAD if arena.length_effect is None else (*_HEAD[:4], _EQUAL, *_HEAD[4:])
    return head, [_cells(arena, standing) for standing in arena.standings], _notes(arena)


def show(arena: Arena) -> None:
    console = open_console()
    head, rows, notes = cells(arena)
    columns = [Column(title, "name" if title == "model" else "figure") for title in head]
    draw(console, Table(columns, rows))
    for note in notes:
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
    equal = (
        [] if arena.length_effect is None else [_UNKNOWN if standing.equal_length is None else _equal(standing, digits)]
    )
    return [rank, standing.model, rating, interval, *equal, rate, f"{standing.games:,}"]


def _equal(standing: Standing, digits: int) -> str:
    if standing.equal_length is None:
        return _UNKNOWN
    low, high = standing.equal_length_ci95 or (None, None)
    interval = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{standing.equal_length:.{digits}f}{interval}"


def _notes(arena: Arena) -> list[str]:
    notes = [
        f"{arena.anchor} is fixed; intervals and ranks at 95%, resampling {arena.questions:,} questions;"
        " a range of ranks is what the games cannot tell apart"
    ]
    if arena.unseparated:
        pairs = "; ".join(" and ".join(pair) for pair in arena.unseparated[:5])
        more = len(arena.unseparated) - 5
        notes.append(f"not separated: {pairs}{f' and {more} more' if more > 0 else ''}")
    if arena.questions < 30:
        notes.append(f"{arena.questions} questions are few: intervals from so few are too narrow")
    if arena.draws is not None:
        notes.append(f"ties by Davidson's model: ν = {arena.draws:.3f}")
    if arena.length_effect is not None:
        notes.append(f"the effect of length is {arena.length_effect:+.2f} (log-odds for a far longer answer)")
    notes += arena.notes
    notes += [f"{standing.model}: {standing.reason}" for standing in arena.standings if standing.reason]
    return notes
