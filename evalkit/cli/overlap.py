"""evalkit overlap"""

from __future__ import annotations

import click

from evalkit.api.overlap_definitions import OverlapArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("overlap", OverlapArguments)
@click.argument("file", metavar="[FILE.jsonl]", required=False)
def command(given: Given, file: str | None) -> None:
    """Find rows of a JSONL file that stand in another, or documents of benchmarks that stand in it."""
    import evalkit as ek

    quiet = bool(given.pop("quiet", False))
    rows = ek.overlap(file, **given, progress=not quiet)
    if not to_stdout(given):
        click.echo(repr(rows))
