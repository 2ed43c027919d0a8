"""evalkit judge"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evalkit.api.definitions import JudgeArguments
from evalkit.api.jury_definitions import JuryArguments
from evalkit.arguments import Given
from evalkit.cli.options import (
    EngineOption,
    VerbGroup,
    debug_option,
    file_option,
    journal_option,
    output_path_option,
    to_stdout,
    verb,
    write_to,
)
from evalkit.cli.run import conclude

__all__ = ["command"]


@click.group("judge", cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Judge answers that have no key with a language model, and hold the judge against people."""


def _judge_help() -> str:
    from evalkit.api.definitions import judge_help

    return judge_help()


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

_RUN_ONLY = ("max_usd", "dry_run")


@verb("run", JudgeArguments, group=command)
@click.argument("run", metavar="RUN")
def run_command(given: Given, run: str) -> None:
    """Judge the answers of RUN and put the figures beside its others.

    \b
    evalkit judge run my-model@latest --rubric instruction-following --judge openai:gpt-4o-mini
    evalkit judge run RUN --rubric pairwise --against OTHER --judge vllm:./judge-model
    evalkit judge run RUN --rubric pairwise --reference gpt4_outputs.json --judge openai:gpt-4o
    """
    _judge(run, given, replay=False)


@verb("replay", JudgeArguments, group=command, without=_RUN_ONLY)
@click.argument("run", metavar="RUN")
def replay_command(given: Given, run: str) -> None:
    """Judge again from the answers that are kept, and call no judge."""
    _judge(run, given, replay=True)


def _judge(run: str, given: Given, *, replay: bool) -> None:
    import evalkit as ek

    quiet = given.pop("quiet", False)
    conclude(lambda: ek.judge(run, **given, progress=not quiet, replay=replay), stdout=to_stdout(given))


@verb("jury", JuryArguments, group=command)
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
def jury_command(given: Given, runs: tuple[str, ...]) -> None:
    """Join judges of the same runs into a jury, weighted by how they agree with people. No judge is asked.

    \b
    evalkit judge jury base@latest tuned@latest --judges openai:gpt-4o-mini,reward:RM --rubric R --labels labels.jsonl
    evalkit compare base@latest tuned@latest --metric quality,R@jury --labels labels.jsonl
    """
    import evalkit as ek

    conclude(lambda: ek.jury(*runs, **given), stdout=to_stdout(given))


def _tell(line: str) -> None:
    """What the engine has to say while it works: that a server keeps everybody waiting, for one."""
    from evalkit.reporting.tables import note

    note(line)


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
    from evalkit.api.judges import draft

    text = draft(
        rubric,
        judge[0],
        include_path=include_path,
        judge_args=judge_args,
        dimension=dimension,
        output_path=output_path,
        journal=journal,
        note=_tell,
    )
    click.echo(text, nl=False)


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
    from evalkit.api.judges import calibrate_judge

    calibration = calibrate_judge(
        judgments,
        labels,
        rubric=rubric,
        include_path=include_path,
        scale=scale,
        resamples=resamples,
        seed=seed,
        output_path=output_path,
    )
    write_to(json, calibration.json())
    if json != "-":
        calibration.show()
        if kept := calibration.kept:
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
    from evalkit.api.judges import audit_judge

    if not judgments and not (judge and rubric):
        raise click.UsageError("nothing to audit: give --judgments FILE, or --judge and --rubric to ask the canaries")
    audit = audit_judge(
        judgments,
        judge=judge,
        judge_args=judge_args,
        rubric=rubric,
        include_path=include_path,
        output_path=output_path,
        journal=journal,
        note=_tell,
    )
    write_to(json, audit.json())
    if json != "-":
        audit.show()
