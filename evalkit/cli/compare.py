"""evalkit compare"""

from __future__ import annotations

import click

from evalkit.api.definitions import CompareArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("compare", CompareArguments)
@click.argument("runs", nargs=-1, required=True, metavar="BASELINE RUN…")
def command(given: Given, runs: tuple[str, ...]) -> None:
    """Say what differs between a run and others, document by document.

    A run is a path, a run-id, MODEL@latest or @baseline.
    """
    import evalkit as ek

    compared = ek.compare(*runs, **given)
    if not to_stdout(given):
        compared.show()
