"""evalkit report"""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, write_to

__all__ = ["command"]


@click.command("report", cls=Verb)
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@output_path_option
@click.option("--baseline", metavar="RUN", help="The run that the others are held against; else the first one.")
@click.option("--tasks", "-t", multiple=True, metavar="A,B", help="Only these tasks or groups.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="gate.yaml",
    help="What the verdict tolerates; without one, every shared task may drop by 0.01.",
)
@click.option("--allow", multiple=True, metavar="KIND", help="A difference that is meant: version, prompts, shots …")
@click.option(
    "--texts",
    type=click.FloatRange(min=0),
    default=24.0,
    show_default=True,
    metavar="MB",
    help="How much of prompts and answers to embed, before compression; changed documents come first.",
)
@file_option("html", "the page, one file that loads nothing")
@file_option("markdown", "leaderboard and verdicts")
@debug_option
def command(
    runs: tuple[str, ...],
    output_path: Path,
    baseline: str | None,
    tasks: tuple[str, ...],
    policy: Path | None,
    allow: tuple[str, ...],
    texts: float,
    html: str | None,
    markdown: str | None,
) -> None:
    """One page for some runs: leaderboard, differences, verdicts, changed documents, troubles, settings.

    The first RUN is the baseline that the others are held against; one alone is shown by itself. A run is a path, a
    run-id, MODEL@latest or @baseline.
    """
    from evalkit.cli.runs import find_run
    from evalkit.config import split_list
    from evalkit.policy import Policy
    from evalkit.registry.cards import load_cards, shipped_folder
    from evalkit.reporting.html import as_html
    from evalkit.reporting.overview import as_markdown, overview, show

    rules = None if policy is None else Policy.load(policy)
    chosen = [find_run(ref, output_path) for ref in runs]
    if baseline is not None:
        first = find_run(baseline, output_path)
        chosen = [first, *(run for run in chosen if run.path.resolve() != first.path.resolve())]
    cards = load_cards(shipped_folder())
    chances = {name: card.chance for name, card in cards.items() if card.chance is not None}
    found = overview(chosen, tasks=split_list(tasks), policy=rules, allow=split_list(allow), chances=chances)
    for warning in found.warnings:
        click.echo(f"note: {warning}", err=True)
    if html is not None:
        write_to(html, as_html(found, room=int(texts * 1_000_000)))
    if markdown is not None:
        write_to(markdown, as_markdown(found))
    if "-" not in (html, markdown):
        show(found)
