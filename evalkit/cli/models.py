"""evalkit models"""

from __future__ import annotations

import json as json_library
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from evalkit.cli.options import Verb, debug_option, file_option, write_to

__all__ = ["command"]


@click.command("models", cls=Verb)
@click.argument("name", required=False)
@file_option("json", "all facts, each with its source")
@debug_option
def command(name: str | None, json: str | None) -> None:
    """List the model aliases and the adapters that ship inside; with a NAME, what is known of it and its sources."""
    from evalkit.errors import UnknownModel, nearest
    from evalkit.models import catalog

    entries = catalog.all_entries()
    adapters = {shipped: catalog.adapter_base(shipped) for shipped in catalog.adapters()}
    if name in adapters:
        write_to(json, json_library.dumps([{"adapter": name, "base": adapters[name]}], indent=2))
        if json != "-":
            _adapters({name: adapters[name]})
        return
    if name is not None:
        entry = catalog.get(name)
        if entry is None:
            known = [*(alias for e in entries for alias in (e.alias, *e.also)), *adapters]
            raise UnknownModel(f"no alias {name!r}{nearest(name, known)}; evalkit models lists them all")
        entries = (entry,)
    write_to(json, json_library.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
    if json == "-":
        return
    if name is not None:
        _one(entries[0])
    else:
        _all(entries)
        _adapters(adapters)


def _all(entries: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("alias", "hub id", "size", "window", "kind", "licence", "commercial"):
        numbers = column in ("size", "window")
        table.add_column(column, justify="right" if numbers else "left", no_wrap=column != "licence", overflow="fold")
    for entry in entries:
        table.add_row(
            f"[bold]{escape(entry.alias)}[/bold]",
            escape(entry.id or "ships inside"),
            _size(entry.parameters.value),
            f"{entry.context.value:,}" if entry.context.value else "?",
            str(entry.kind.value or "?"),
            escape(str(entry.license.value or "?")),
            _commercial(entry.commercial.value),
        )
    console.print(table)
    console.print("[dim]? is not known for sure. evalkit models NAME says why, and where each fact was read.[/dim]")


def _adapters(bases: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for name, base in bases.items():
        use = f"an adapter that ships inside: --model {base} --adapter {name}"
        console.print(f"[bold]{escape(name)}[/bold]  {escape(use)}", soft_wrap=True)


def _one(entry: Any) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"[bold]{escape(entry.alias)}[/bold]  {escape(entry.id or 'ships inside')}")
    if entry.also:
        console.print(f"also: {escape(', '.join(entry.also))}")
    for name, fact in entry.facts.items():
        console.print(f"[bold]{name:<13}[/bold]{escape(_value(fact.value))}", soft_wrap=True)
        for text in (fact.note, fact.reason):
            if text:
                console.print(f"{'':13}{escape(text)}", soft_wrap=True)
        if fact.source:
            console.print(f"{'':13}[dim]{escape(fact.source)}[/dim]", soft_wrap=True)


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
