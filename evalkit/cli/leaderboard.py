"""evalkit leaderboard"""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to

__all__ = ["command"]


@click.command("leaderboard", cls=Verb)
@click.argument("runs", nargs=-1, metavar="[RUN…]")
@output_path_option
@click.option(
    "--import",
    "imports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Add the runs of lm-eval or inspect_ai that a folder or file holds.",
)
@click.option("--all", "every", is_flag=True, help="Every run, not only each model's newest complete one.")
@click.option(
    "--include",
    type=click.Choice(["limited", "partial", "incomplete"]),
    multiple=True,
    help="Let runs of this status in as well.",
)
@file_option("csv", "the table for a spreadsheet")
@file_option("json", "all figures, unrounded")
@file_option("markdown", "the table")
@file_option("html", "the table as a page")
@debug_option
def command(
    runs: tuple[str, ...],
    output_path: Path,
    imports: tuple[Path, ...],
    every: bool,
    include: tuple[str, ...],
    csv: str | None,
    json: str | None,
    markdown: str | None,
    html: str | None,
) -> None:
    """All runs, or those given, as one table: intervals, ranks, and which runs the data cannot separate.

    Runs of other tools are read where they are named, as RUN or with --import, and nowhere else.
    """
    from evalkit.cli.runs import find_run
    from evalkit.errors import UnknownRun
    from evalkit.ranking import leaderboard
    from evalkit.registry.cards import load_cards, shipped_folder
    from evalkit.reporting.leaderboard_view import as_csv, as_html, as_json, as_markdown, show
    from evalkit.results import all_runs, find_foreign

    if runs and imports:
        raise click.UsageError(
            "--import adds to the runs of a results folder; where runs are named, name those as well"
        )
    if runs:
        chosen = [find_run(ref, output_path) for ref in runs]
        # Runs that are named are meant, each of them and whatever their status.
        every, include = True, ("limited", "partial", "incomplete")
    elif output_path.is_dir():
        found = all_runs(output_path)
        chosen = list(found.runs)
        for warning in found.warnings:
            click.echo(f"note: {warning}", err=True)
    elif imports:
        chosen = []
    else:
        raise UnknownRun(f"there is no folder {output_path}; --output-path names the one that holds your runs")
    for path in imports:
        foreign, broken = find_foreign(path)
        chosen += foreign
        for _, problem in broken:
            click.echo(f"note: left out: {problem}", err=True)
    cards = load_cards(shipped_folder())
    chances = {name: card.chance for name, card in cards.items() if card.chance is not None}
    board = leaderboard(chosen, every=every, also=include, chances=chances)
    write_to(csv, as_csv(board))
    write_to(json, as_json(board))
    write_to(markdown, as_markdown(board))
    write_to(html, as_html(board))
    if "-" not in (csv, json, markdown, html):
        show(board)
