"""evalkit compare"""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to

__all__ = ["command"]


@click.command("compare", cls=Verb)
@click.argument("runs", nargs=-1, required=True, metavar="BASELINE RUN…")
@output_path_option
@click.option("--tasks", "-t", multiple=True, metavar="A,B", help="Only these tasks or groups.")
@click.option("--metric", metavar="NAME", help="This metric instead of each task's headline, e.g. acc,none.")
@click.option("--allow", multiple=True, metavar="KIND", help="A difference that is meant: version, prompts, shots …")
@click.option("--show-flips", type=click.IntRange(min=0), default=0, metavar="N", help="Show N changed documents.")
@file_option("json", "all figures")
@file_option("markdown", "the tables")
@debug_option
def command(
    runs: tuple[str, ...],
    output_path: Path,
    tasks: tuple[str, ...],
    metric: str | None,
    allow: tuple[str, ...],
    show_flips: int,
    json: str | None,
    markdown: str | None,
) -> None:
    """Say what differs between a run and others, document by document.

    A run is a path, a run-id, MODEL@latest or @baseline.
    """
    from evalkit.cli.runs import find_run
    from evalkit.comparison import compare
    from evalkit.config import split_list
    from evalkit.reporting.comparison_view import as_json, as_markdown, show

    if len(runs) < 2:
        raise click.UsageError("two runs or more are compared: evalkit compare BASELINE CANDIDATE")
    baseline, *others = (find_run(ref, output_path) for ref in runs)
    found = compare(baseline, others, tasks=split_list(tasks), metric=metric, allow=split_list(allow), flips=show_flips)
    write_to(json, as_json(found))
    write_to(markdown, as_markdown(found))
    if "-" not in (json, markdown):
        show(found)
