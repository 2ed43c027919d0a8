"""evalkit overlap"""

from __future__ import annotations

import click

from evalkit.api.data_definitions import OverlapArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("overlap", OverlapArguments)
@click.argument("file", metavar="FILE.jsonl")
def command(given: Given, file: str) -> None:
    """Find the rows of a JSONL file that share a run of words with rows of another, or equal them."""
    import evalkit as ek

    rows = ek.overlap(file, **given)
    if not to_stdout(given):
        click.echo(repr(rows))
