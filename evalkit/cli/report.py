"""evalkit report"""

from __future__ import annotations

import click

from evalkit.api.definitions import ReportArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb

__all__ = ["command"]


@verb("report", ReportArguments)
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
def command(given: Given, runs: tuple[str, ...]) -> None:
    """One page for some runs: leaderboard, differences, verdicts, changed documents, troubles, settings.

    The first RUN is the baseline that the others are held against; one alone is shown by itself. A run is a path, a
    run-id, MODEL@latest or @baseline.
    """
    import evalkit as ek
    from evalkit.reporting.tables import note

    made = ek.report(runs, **given)
    for warning in made.warnings:
        note(warning)
    if given.get("html") is None and given.get("markdown") is None:
        note("no page was written: --html report.html writes one, with every document")
    if not to_stdout(given):
        made.show()
