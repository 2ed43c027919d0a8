"""evalkit arena"""

from __future__ import annotations

import click

from evalkit.api.arena_definitions import ArenaArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("arena", ArenaArguments)
@click.argument("runs", metavar="[RUN]…", nargs=-1)
def command(given: Given, runs: tuple[str, ...]) -> None:
    """Rate models: a judge compares the answers of their runs, or recorded games are read.

    \b
    evalkit arena a@latest b@latest c@latest --judge openai:gpt-4o-mini --max-usd 5
    evalkit arena --games battles.jsonl --anchor gpt-4-0314
    """
    import evalkit as ek

    quiet = given.pop("quiet", False)
    rated = ek.arena(*runs, **given, progress=not quiet)
    if not to_stdout(given):
        rated.show()
