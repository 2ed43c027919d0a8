"""evalkit judge"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evalkit.cli.options import (
    EngineOption,
    VerbGroup,
    debug_option,
    file_option,
    journal_option,
    output_path_option,
    write_to,
)

__all__ = ["command"]


@click.group("judge", cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Judge answers that have no key with a language model, and hold the judge against people."""


def _judge_help() -> str:
    from evalkit.engines.spec import judge_forms

    return f"{judge_forms()}; several are averaged."


_AUDIT_HELP = "Recorded judgments or comparisons, AlpacaEval's annotations too; repeat for several."
_FILE = click.Path(path_type=Path, dir_okay=False)


F = TypeVar("F", bound=Callable[..., Any])


def _all_of(*options: Any) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_include_path = click.option("--include-path", multiple=True, metavar="DIR", help="A folder of your own rubrics.")
_judge_args = click.option(
    "--judge-args", multiple=True, metavar="K=V,…", help="timeout=60, max_concurrency=16, price=0.15/0.60, dtype=…"
)
_rubric_options = _all_of(
    click.option("--rubric", required=True, metavar="ID", help="A rubric's id, or the path of its file."),
    _include_path,
)
_judge_options = _all_of(
    click.option("--judge", cls=EngineOption, multiple=True, required=True, metavar="JUDGE", help=_judge_help),
    _judge_args,
)
_item_options = _all_of(
    click.option("--tasks", "-t", multiple=True, metavar="A,B", help="Only these tasks of the run."),
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=FIELD",
        help="Take an input from a field: reference=answer.",
    ),
    click.option("--against", metavar="RUN", help="The other run of a comparison; else the documents' reference."),
    click.option(
        "--reference", type=_FILE, metavar="FILE", help="The other answers from a file: rows of instruction and output."
    ),
    click.option("--limit", "-L", type=click.IntRange(min=1), metavar="N", help="Only the first N answers."),
)


@command.command("run")
@click.argument("run", metavar="RUN")
@_rubric_options
@_judge_options
@_item_options
@click.option("--max-usd", type=click.FloatRange(min=0), metavar="USD", help="Stop before this is spent.")
@click.option("--dry-run", is_flag=True, help="Only say how many requests, tokens and dollars it would take.")
@output_path_option
@journal_option
@file_option("json", "the judged figures")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the result.")
@debug_option
def run_command(**flags: Any) -> None:
    """Judge the answers of RUN and put the figures beside its others.

    \b
    evalkit judge run my-model@latest --rubric instruction-following --judge openai:gpt-4o-mini
    evalkit judge run RUN --rubric pairwise --against OTHER --judge vllm:./judge-model
    evalkit judge run RUN --rubric pairwise --reference gpt4_outputs.json --judge openai:gpt-4o
    """
    _run(ask=True, **flags)


@command.command("replay")
@click.argument("run", metavar="RUN")
@_rubric_options
@_judge_options
@_item_options
@output_path_option
@journal_option
@file_option("json", "the judged figures")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the result.")
@debug_option
def replay_command(**flags: Any) -> None:
    """Judge again from the answers that are kept, and call nobody."""
    _run(ask=False, max_usd=None, dry_run=False, **flags)


def _run(
    *,
    run: str,
    rubric: str,
    include_path: tuple[str, ...],
    judge: tuple[str, ...],
    judge_args: tuple[str, ...],
    tasks: tuple[str, ...],
    inputs: tuple[str, ...],
    against: str | None,
    reference: Path | None,
    limit: int | None,
    max_usd: float | None,
    dry_run: bool,
    output_path: Path,
    journal: Path | None,
    json: str | None,
    quiet: bool,
    ask: bool,
) -> None:
    from evalkit.arguments import split_list
    from evalkit.cli.runs import find_run
    from evalkit.config import parse_pairs
    from evalkit.judging.items import parse_fields
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.judge_view import as_json, show_estimate, show_judged
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner.judge_cost import estimate
    from evalkit.runner.judges import parse_judge
    from evalkit.runner.judging import JudgeRequest, judge_run, prepare_items

    found = find_run(run, output_path)
    if found.imported_from:
        raise click.UsageError(f"{run} is a run of {found.imported_from}; judgments are written into runs of evalkit")
    chosen = find_rubric(rubric, include_path)
    if against is not None and reference is not None:
        raise click.UsageError("--against and --reference both name the other answers: give one")
    if reference is not None and chosen.kind != "pairwise":
        raise click.UsageError(
            f"--reference is for comparisons, and rubric {chosen.id} rates single answers: try pairwise"
        )
    arguments = parse_pairs(judge_args, "--judge-args") | ({} if max_usd is None else {"max_usd": max_usd})
    request = JudgeRequest(
        rubric=chosen,
        judges=[parse_judge(typed) for typed in split_list(judge)],
        output_path=output_path,
        journal=journal,
        arguments=arguments,
        tasks=split_list(tasks),
        fields=parse_fields(inputs),
        against=None if against is None else find_run(against, output_path),
        reference=reference,
        ask=ask,
        limit=limit,
        report=report,
    )
    if dry_run:
        cost = estimate(request.rubric, request.judges, prepare_items(found, request), arguments.get("price"))
        write_to(json, as_json(cost))
        if json != "-":
            show_estimate(cost)
        return
    with Progress.open(quiet=quiet) as progress:
        written, judged = judge_run(found, request, progress)
    figures = {"tasks": dict(written.tasks), "groups": dict(written.groups)}
    write_to(json, as_json({"run": written.run_id, "coverage": judged.coverage, **figures}))
    if json != "-":
        show_judged(written, request.rubric.id, judged)
    judged.check()


@command.command("steps")
@_rubric_options
@_judge_options
@click.option("--dimension", multiple=True, metavar="NAME", help="Only this dimension; repeat for several.")
@output_path_option
@journal_option
@debug_option
def steps_command(
    rubric: str,
    include_path: tuple[str, ...],
    judge: tuple[str, ...],
    judge_args: tuple[str, ...],
    dimension: tuple[str, ...],
    output_path: Path,
    journal: Path | None,
) -> None:
    """Draft evaluation steps for a rubric. Read them, mend them, and commit them into its file."""
    from evalkit.config import parse_pairs
    from evalkit.journal import Journal
    from evalkit.judging.rubric import find_rubric
    from evalkit.judging.steps import as_yaml, draft_steps
    from evalkit.runner.judges import open_judge, parse_judge

    found = find_rubric(rubric, include_path)
    dimensions = [found.dimension(name) for name in dimension] or list(found.dimensions)
    arguments = parse_pairs(judge_args, "--judge-args")
    with (
        Journal.open(output_path, folder=journal) as kept,
        open_judge(parse_judge(judge[0]), kept, arguments) as (_, asker, _),
    ):
        click.echo(as_yaml(draft_steps(found, dimensions, asker)), nl=False)


@command.command("calibrate")
@click.option(
    "--judgments",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="J.jsonl",
    help="What the judge said.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="H.jsonl",
    help="What people said.",
)
@click.option("--rubric", metavar="ID", help="Its scales are those that the replies are read on.")
@_include_path
@click.option("--scale", metavar="NAME=LOW:HIGH,…", help="naturalness=1:3,groundedness=0:1; a lone 1:5 is for all.")
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    metavar="N",
    help="Draws of the bootstrap.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the bootstrap.")
@output_path_option
@file_option("json", "all figures")
@debug_option
def calibrate_command(
    judgments: Path,
    labels: Path,
    rubric: str | None,
    include_path: tuple[str, ...],
    scale: str | None,
    resamples: int,
    seed: int,
    output_path: Path,
    json: str | None,
) -> None:
    """How far a judge agrees with people, dimension by dimension."""
    from evalkit.judging.calibrate import calibrate
    from evalkit.judging.certificate import save_certificate
    from evalkit.judging.records import read_judgments, read_labels
    from evalkit.judging.rubric import find_rubric
    from evalkit.judging.scale import parse_scales
    from evalkit.reporting.judge_view import as_json, show_calibration

    found = find_rubric(rubric, include_path) if rubric else None
    scales = parse_scales(scale) if scale else {}
    judged = read_judgments(
        judgments,
        scales,
        found.settings.min_mass if found else 0.9,
        known_scales=found.scales if found else {},
    )
    figures = calibrate(judged, read_labels(labels), resamples=resamples, seed=seed)
    kept = save_certificate(output_path, figures, judged, labels.name)
    # A dimension can be asked for by its name alone, or under `dimensions` by those who want nothing else.
    write_to(json, as_json({**figures, "dimensions": figures}))
    if json != "-":
        show_calibration(figures)
        if kept is not None:
            click.echo(f"calibration record: {kept}; evalkit judge replay puts it beside figures that stand already")


@command.command("audit")
@click.option("--judgments", type=_FILE, multiple=True, metavar="FILE", help=_AUDIT_HELP)
@click.option("--judge", metavar="JUDGE", help="Its name, for its family; with --rubric it is also asked the canaries.")
@_judge_args
@click.option("--rubric", metavar="ID", help="Ask the judge injection attempts under this rubric.")
@_include_path
@output_path_option
@journal_option
@file_option("json", "all that was measured")
@debug_option
def audit_command(
    judgments: tuple[Path, ...],
    judge: str | None,
    judge_args: tuple[str, ...],
    rubric: str | None,
    include_path: tuple[str, ...],
    output_path: Path,
    journal: Path | None,
    json: str | None,
) -> None:
    """Measure a judge: order, length, repeatability, its own family, constant outputs, injection attempts."""
    from evalkit.config import parse_pairs
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.judge_view import as_json, show_audit
    from evalkit.runner.auditing import audit_files, audit_live
    from evalkit.runner.judges import parse_judge

    if not judgments and not (judge and rubric):
        raise click.UsageError("nothing to audit: give --judgments FILE, or --judge and --rubric to ask the canaries")
    report = audit_files(judgments, judge)
    if judge and rubric:
        arguments = parse_pairs(judge_args, "--judge-args")
        live = audit_live(find_rubric(rubric, include_path), parse_judge(judge), output_path, arguments, journal)
        report = {**report, **live, "warnings": [*report["warnings"], *live["warnings"]]}
    write_to(json, as_json(report))
    if json != "-":
        show_audit(report)
