"""evalkit leaderboard"""

from __future__ import annotations

import click

from evalkit.api.definitions import LeaderboardArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("leaderboard", LeaderboardArguments)
@click.argument("runs", nargs=-1, metavar="[RUN…]")
def command(given: Given, runs: tuple[str, ...]) -> None:
    """All runs, or those given, as one table: intervals, ranks, and which runs the data cannot separate.

    Runs of other tools are read where they are named, as RUN or with --import, and nowhere else.
    """
    import evalkit as ek
    from evalkit.reporting.tables import note

    board = ek.leaderboard(runs, **given)
    for warning in board.warnings:
        note(warning)
    if not to_stdout(given):
        board.show()
