"""evalkit cache stat | prune"""

from __future__ import annotations

import json as json_library
import time
from dataclasses import asdict
from pathlib import Path

import click

from evalkit.cli.options import VerbGroup, debug_option, file_option, journal_option, output_path_option, write_to
from evalkit.reporting.tables import Column, Table, draw, note, open_console, say

__all__ = ["command"]

_COLUMNS = (
    Column("model"),
    Column("answers", "figure"),
    Column("size", "figure"),
    Column("last used", "figure"),
    Column("no run refers to", "figure"),
)


@click.group("cache", cls=VerbGroup)
def command() -> None:
    """Size of the kept answers, and how to drop some."""


@command.command("stat")
@output_path_option
@journal_option
@file_option("json", "the counts")
@debug_option
def stat_command(output_path: Path, journal: Path | None, json: str | None) -> None:
    """How many answers are kept, whose, and how big they are."""
    from evalkit.api.kept_answers import count_answers

    kept = count_answers(output_path, journal)
    write_to(json, json_library.dumps(asdict(kept), indent=2, ensure_ascii=False, default=str))
    if json == "-":
        return
    rows = []
    for model in sorted(kept.models, key=lambda m: -m.bytes):
        used = time.strftime("%Y-%m-%d", time.gmtime(model.used)) if model.used else "unknown"
        rows.append((model.label, f"{model.answers:,}", _size(model.bytes), used, f"{model.unreferenced:,}"))
    console = open_console()
    draw(console, Table(_COLUMNS, rows, f"{kept.path}: {_size(kept.bytes)}"))
    for notice in (*kept.notices, *(f"put aside, damaged: {path}" for path in kept.damaged)):
        say(console, notice, "yellow")


@command.command("prune")
@output_path_option
@journal_option
@click.option("--model", "-m", metavar="MODEL", help="Only this model's answers.")
@click.option("--older-than", type=float, metavar="DAYS", help="Only answers that no run has used for so long.")
@click.option("--dry-run", is_flag=True, help="Say what would be dropped, and drop nothing.")
@debug_option
def prune_command(
    output_path: Path, journal: Path | None, model: str | None, older_than: float | None, dry_run: bool
) -> None:
    """Drop the answers that no run refers to. Nothing is lost but time."""
    from evalkit.api.kept_answers import prune_answers

    done = prune_answers(output_path, journal, model=model, older_than=older_than, dry_run=dry_run)
    if dry_run:
        click.echo(f"{done.answers:,} answers would be dropped, {done.kept:,} kept")
    else:
        sizes = f"{_size(done.bytes_before)} → {_size(done.bytes_after)}"
        click.echo(f"{done.answers:,} answers dropped, {done.kept:,} kept: {sizes}")
    for notice in done.notices:
        note(notice)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
