"""evalkit merge"""

from __future__ import annotations

from typing import Any

import click

from evalkit.api.definitions import MergeArguments
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("merge", MergeArguments)
@click.argument("runs", nargs=-1, metavar="RUN…")
def command(given: dict[str, Any], runs: tuple[str, ...]) -> None:
    """Join the runs of all shards (evalkit run --shard I/N) into the run that one process would have made."""
    import evalkit as ek

    joined = ek.merge(runs, **given)
    if not to_stdout(given):
        from evalkit.api.finishing import show_runs

        show_runs([joined])
