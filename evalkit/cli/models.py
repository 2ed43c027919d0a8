"""evalkit models"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from evalkit.cli.options import Verb, debug_option, file_option, write_to
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say

__all__ = ["command"]

_COLUMNS = (
    Column("alias"),
    Column("hub id", drop=4),
    Column("size", "figure"),
    Column("window", "figure", drop=3),
    Column("kind", drop=2),
    Column("licence"),
    Column("commercial", drop=1),
)


@click.command("models", cls=Verb)
@click.argument("name", required=False)
@file_option("json", "all facts, each with its source")
@debug_option
def command(name: str | None, json: str | None) -> None:
    """List the model aliases and the adapters that ship inside; with a NAME, what is known of it and its sources."""
    from evalkit.api.known_models import known_models

    known = known_models(name)
    write_to(json, known.json())
    if json == "-":
        return
    if name is not None and known.entries:
        _one(known.entries[0])
    elif known.entries:
        _all(known.entries)
    _adapters(known.adapters)


def _all(entries: Any) -> None:
    rows = [
        (
            Cell(entry.alias, "bold"),
            entry.id or "ships inside",
            _size(entry.parameters.value),
            f"{entry.context.value:,}" if entry.context.value else "?",
            str(entry.kind.value or "?"),
            str(entry.license.value or "?"),
            _commercial(entry.commercial.value),
        )
        for entry in entries
    ]
    console = open_console()
    draw(console, Table(_COLUMNS, rows))
    say(console, "? is not known for sure. evalkit models NAME says why, and where each fact was read.", "dim")


def _adapters(bases: Mapping[str, str]) -> None:
    for name, base in bases.items():
        say(open_console(), f"{name} (ships inside): --model {base} --adapter {name}")


def _one(entry: Any) -> None:
    console = open_console()
    rows = [(Cell(entry.alias, "bold"), entry.id or "ships inside")]
    if entry.also:
        rows.append((Cell("also", "bold"), ", ".join(entry.also)))
    for name, fact in entry.facts.items():
        rows.append((Cell(name, "bold"), _value(fact.value)))
        rows += [(Cell(""), text) for text in (fact.note, fact.reason, fact.source) if text]
    draw(console, Table((Column("fact"), Column("value", "prose")), rows, headings=False))


def _value(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _size(count: Any) -> str:
    if not isinstance(count, int):
        return "?"
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M" if count >= 1e7 else f"{count / 1e6:.1f}M"


def _commercial(value: Any) -> str:
    return {True: "yes", False: "no", None: "?"}.get(value, str(value))
