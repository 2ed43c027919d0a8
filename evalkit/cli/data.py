"""evalkit data pull | check"""

from __future__ import annotations

import json as json_library
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.options import VerbGroup, debug_option, file_option, write_to
from evalkit.reporting.tables import Column, Table, draw, open_console

if TYPE_CHECKING:
    from evalkit.api.mirrors import Served

__all__ = ["command"]


@click.group("data", cls=VerbGroup)
def command() -> None:
    """Make and check an offline mirror of the benchmarks."""


@command.command("pull")
@click.argument("tasks")
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="The mirror."
)
@debug_option
def pull_command(tasks: str, to: Path) -> None:
    """Fetch the data sets of TASKS (with commas) from the hub into a mirror for --data-dir."""
    from evalkit.api.mirrors import pull_data

    count = 0
    for pulled in pull_data(tasks, to):
        count += 1
        click.echo(f"{pulled.data} {pulled.config or ''}: {pulled.rows:,} rows → {pulled.folder}")
    click.echo(f"{count} data sets in {to}; use them with --data-dir {to}")


@command.command("check")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@file_option("json", "the findings")
@debug_option
def check_command(folder: Path, json: str | None) -> None:
    """Say which benchmarks a mirror can serve, with counts."""
    from evalkit.api.mirrors import check_mirror, refuse_empty

    served = check_mirror(folder)
    write_to(json, json_library.dumps([asdict(item) for item in served], indent=2, ensure_ascii=False))
    if json != "-":
        _show(served)
    refuse_empty(folder, served)


def _show(served: Sequence[Served]) -> None:
    rows = [
        (item.benchmark, "no" if item.problem else f"{item.documents:,}", item.problem or ", ".join(item.data))
        for item in served
    ]
    columns = (Column("benchmark"), Column("documents", "figure"), Column("data sets, or what is missing", "prose"))
    draw(open_console(), Table(columns, rows))
