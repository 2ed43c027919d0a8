"""evalkit rate"""

from __future__ import annotations

import click

from evalkit.api.rate_definitions import RateArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("rate", RateArguments)
@click.argument("file", metavar="ANSWERS.jsonl")
def command(given: Given, file: str) -> None:
    """Say how often a detector finds something in answers: raw, and corrected by people's labels."""
    import evalkit as ek

    rated = ek.rate(file, **given)
    if not to_stdout(given):
        rated.show()
