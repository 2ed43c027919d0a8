"""evalkit score"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Verb, debug_option, file_option, output_path_option, question_options

__all__ = ["command"]


@click.command("score", cls=Verb)
@click.argument("answers", metavar="FILE.jsonl|RUN")
@click.option("--model", "-m", metavar="LABEL", help="Whose answers these are; by default the file's name.")
@click.option("--tasks", "-t", multiple=True, metavar="A,B", help="By default the tasks that have answers.")
@question_options
@click.option("--num-fewshot", "-f", type=click.IntRange(min=0), metavar="N", help="Shots, where a row has no prompt.")
@click.option("--limit", "-L", metavar="N", help="Only the first N documents of each task. Stamped LIMITED.")
@click.option("--include-path", multiple=True, metavar="DIR", help="A folder of your own tasks in lm-eval's YAML.")
@click.option("--allow-task-code", is_flag=True, help="Let task files in that folder run their own Python.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="An offline mirror.")
@click.option("--sandbox", default="auto", show_default=True, metavar="TIER", help="How recorded code is held.")
@output_path_option
@click.option("--name", metavar="NAME", help="The run's id.")
@file_option("json", "the results")
@file_option("markdown", "the table")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the result.")
@debug_option
def command(
    answers: str,
    model: str | None,
    tasks: tuple[str, ...],
    quiet: bool,
    json: str | None,
    markdown: str | None,
    **flags: Any,
) -> None:
    """Score recorded answers without a model: evalkit's JSONL, lm-eval's samples, or a run.

    What is missing stays missing: figures cover the documents that have an answer.
    """
    from evalkit.cli.run import conclude
    from evalkit.cli.runs import find_run
    from evalkit.config import RunConfig
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.results import Run
    from evalkit.runner.recorded import recording_of, score

    path = Path(answers).expanduser()
    if not path.exists():
        path = find_run(answers, flags["output_path"]).path
    recording = recording_of(path)
    source = Run.open(path) if (path / "manifest.json").is_file() else None
    shots = {entry.get("num_fewshot") for entry in source.results["tasks"].values()} if source else set()
    if flags["num_fewshot"] is None and len(shots) == 1:
        flags["num_fewshot"] = shots.pop()
    if flags["limit"] is None and source:
        flags["limit"] = source.manifest.get("limit")
    asked = tasks or (source.requested if source else recording.tasks)
    config = RunConfig.build(model=model or recording.label, tasks=asked, engine="replay", **flags)
    with Progress.open(quiet=quiet) as progress:
        outcome = score(recording, config, progress, report, source)
    conclude([outcome], json, markdown)
