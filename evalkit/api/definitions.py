"""The arguments of each verb: its flags on the command line, and its function's keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.arguments import Flag, Folder, Names, arguments
from evalkit.config import Arguments, RunConfig
from evalkit.engines.spec import startable
from evalkit.errors import UsageError, nearest
from evalkit.judging.backends.spec import judge_forms
from evalkit.parsing import parse_limit, parse_pairs

__all__ = [
    "CompareArguments",
    "EvaluateArguments",
    "GateArguments",
    "JudgeArguments",
    "LeaderboardArguments",
    "MergeArguments",
    "ReportArguments",
    "ScoreArguments",
    "paid_engines",
]

STATUSES = ("limited", "partial", "incomplete")

_TASKS_OF_RUNS = Flag("Only these tasks or groups.", metavar="A,B", short=("-t",), many=True)
_ALLOW = Flag("A difference that is meant: version, prompts, shots, limit …", metavar="KIND", many=True)
QUIET = Flag("No progress, only the result.", switch=True, short=("-q",))
RUNS_FOLDER = Flag("The folder that holds the runs.", metavar="DIRECTORY")
JUDGE_ARGS = "timeout=60, max_concurrency=16, price=0.15/0.60, dtype=…"
_ONE_POLICY = "without one, every shared task may drop by 0.01."


def _file(what: str) -> Flag:
    return Flag(f"Write {what} here; - is stdout.", metavar="FILE")


def paid_engines() -> str:
    """The engines whose answers are paid for."""
    return " or ".join(spec.name for spec in startable() if spec.costs_money)


def _log_to() -> str:
    from evalkit.exporting import live_exporters

    return f"Then log the figures to {', '.join(live_exporters())}."


def _judge_after() -> str:
    return f"Then judge the answers: {judge_forms()}."


def judge_help() -> str:
    return f"{judge_forms()}; several are averaged."


def _max_usd() -> str:
    return f"Stop before this is spent (--engine {paid_engines()})."


def _statuses(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(str(name) for name in value or ())
    for name in names:
        if name not in STATUSES:
            raise UsageError(
                f"--include {name}: no such status{nearest(name, STATUSES)} (one of {', '.join(STATUSES)})"
            )
    return names


def _fields(value: Any) -> dict[str, str]:
    from evalkit.judging.items import parse_fields

    if isinstance(value, Mapping):
        value = [f"{name}={path}" for name, path in value.items()]
    return parse_fields((value,) if isinstance(value, str) else tuple(str(part) for part in value))


def _paths(value: Any) -> tuple[Path, ...]:
    return tuple(Path(path) for path in ((value,) if isinstance(value, str | Path) else value or ()))


OutFile = Annotated[str | None, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
"""A file to write, or - for stdout."""
JudgeArgs = Annotated[Mapping[str, Any], BeforeValidator(lambda value: parse_pairs(value, "--judge-args"))]


@arguments
class EvaluateArguments(RunConfig):
    """`evalkit run`: the settings of a run, and what is done with it."""

    judge: Annotated[Names, Flag(_judge_after, metavar="JUDGE", many=True)] = ()
    rubric: Annotated[str | None, Flag("By this rubric (a shipped id, or the path of a file).", metavar="ID")] = None
    judge_args: Annotated[JudgeArgs, Flag("timeout=60, max_usd=5, price=0.15/0.60 …", metavar="K=V,…", many=True)] = (
        field(default_factory=dict)
    )
    against: Annotated[
        Any, Flag("Judge it against this run while it runs, and stop each task once that is sure.", metavar="RUN")
    ] = None
    policy: Annotated[Any, Flag(f"With --against: what is tolerated; {_ONE_POLICY}", metavar="gate.yaml")] = None
    max_usd: Annotated[
        float | None,
        Field(ge=0),
        Flag(_max_usd, metavar="USD"),
    ] = None
    dry_run: Annotated[bool, Flag("Only say how many requests, tokens and dollars it would take.", switch=True)] = False
    config: Annotated[
        Path | None, Flag("A YAML file with the same keys as these flags.", metavar="FILE.yaml", short=("-C",))
    ] = None
    recipe: Annotated[
        str | None,
        Flag("Flags and a published figure, from a file or a shipped recipe; says how far the run is from it."),
    ] = None
    log_samples: Annotated[
        bool,
        Flag("Accepted for lm-eval's sake: samples are always kept.", switch=True, short=("-s",), hidden=True),
    ] = False
    json: Annotated[OutFile, _file("the results")] = None
    markdown: Annotated[OutFile, _file("the table")] = None
    log_to: Annotated[Names, Flag(_log_to, metavar="NAME", many=True)] = ()
    quiet: Annotated[bool, QUIET] = False


@arguments
class ScoreArguments:
    """`evalkit score`: recorded answers, scored without a model."""

    model: Annotated[
        str | None, Flag("Whose answers these are; by default the file's name.", metavar="LABEL", short=("-m",))
    ] = None
    tasks: Annotated[
        Names, Flag("By default the tasks that have answers.", metavar="A,B", short=("-t",), many=True)
    ] = ()
    input: Annotated[str | None, Flag("Of --tasks qa.csv: the column of the questions.", metavar="NAME")] = None
    target: Annotated[str | None, Flag("Of --tasks qa.csv: the column of the answers.", metavar="NAME")] = None
    score: Annotated[
        str | None, Flag("Of --tasks qa.csv: exact, contains, choice, numeric, regex or judge.", metavar="HOW")
    ] = None
    num_fewshot: Annotated[
        int | None, Field(ge=0), Flag("Shots, where a row has no prompt.", metavar="N", short=("-f",))
    ] = None
    limit: Annotated[
        float | None,
        BeforeValidator(parse_limit),
        Flag("Only the first N documents of each task. Stamped LIMITED.", metavar="N", short=("-L",)),
    ] = None
    include_path: Annotated[Names, Flag("A folder of your own tasks in lm-eval's YAML.", metavar="DIR", many=True)] = ()
    allow_task_code: Annotated[bool, Flag("Let task files in that folder run their own Python.", switch=True)] = False
    data_dir: Annotated[Folder | None, Flag("An offline mirror.", metavar="DIR")] = None
    sandbox: Annotated[str, Flag("How recorded code is held.", metavar="TIER")] = "auto"
    sandbox_packages: Annotated[
        Names, Flag("Installed packages that recorded code may import.", metavar="A,B", many=True)
    ] = ()
    sandbox_seconds: Annotated[
        float | None, Field(gt=0, le=3600), Flag("Seconds for a program and its tests.", metavar="N")
    ] = None
    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    name: Annotated[str | None, Flag("The run's id.", metavar="NAME")] = None
    json: Annotated[OutFile, _file("the results")] = None
    markdown: Annotated[OutFile, _file("the table")] = None
    quiet: Annotated[bool, QUIET] = False


@arguments
class CompareArguments:
    """`evalkit compare`: what differs between runs."""

    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    tasks: Annotated[Names, _TASKS_OF_RUNS] = ()
    metric: Annotated[
        str | None, Flag("This metric instead of each task's headline, e.g. acc,none.", metavar="NAME")
    ] = None
    allow: Annotated[Names, _ALLOW] = ()
    labels: Annotated[
        Path | None, Flag("People's ratings of some answers: corrects what a judge gave.", metavar="FILE.jsonl")
    ] = None
    show_flips: Annotated[int, Field(ge=0), Flag("Show N changed documents.", metavar="N")] = 0
    json: Annotated[OutFile, _file("all figures")] = None
    markdown: Annotated[OutFile, _file("the tables")] = None


@arguments
class GateArguments:
    """`evalkit gate`: whether a candidate is worse than its baseline."""

    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    policy: Annotated[Any, Flag(f"What is tolerated; {_ONE_POLICY}", metavar="gate.yaml")] = None
    noise: Annotated[Any, Flag("A second run of the baseline: its flip rate is the noise floor.", metavar="RUN")] = None
    allow: Annotated[Names, _ALLOW] = ()
    labels: Annotated[
        Path | None, Flag("People's ratings of some answers: corrects what a judge gave.", metavar="FILE.jsonl")
    ] = None
    bless: Annotated[Any, Flag("Make RUN the baseline (@baseline), and judge nothing.", metavar="RUN")] = None
    json: Annotated[OutFile, _file("the verdict and all figures")] = None
    junit: Annotated[OutFile, _file("the verdict as JUnit XML")] = None
    markdown: Annotated[OutFile, _file("the verdict, fit for a pull-request comment")] = None
    github: Annotated[
        bool, Flag("In a GitHub Actions job: write its summary, its outputs and annotations.", switch=True)
    ] = False


@arguments
class LeaderboardArguments:
    """`evalkit leaderboard`: runs as one table."""

    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    import_: Annotated[
        tuple[Path, ...],
        BeforeValidator(_paths),
        Flag("Add each run of lm-eval or inspect_ai that a folder or file holds.", metavar="PATH", many=True),
    ] = ()
    all: Annotated[bool, Flag("Every run, not only each model's newest complete one.", switch=True)] = False
    include: Annotated[
        tuple[str, ...],
        BeforeValidator(_statuses),
        Flag("Let runs of this status in as well.", metavar=f"[{'|'.join(STATUSES)}]", many=True),
    ] = ()
    wide: Annotated[bool, Flag("All there is to know of each run, as in --csv and --html.", switch=True)] = False
    csv: Annotated[OutFile, _file("the table for a spreadsheet")] = None
    json: Annotated[OutFile, _file("all figures, unrounded")] = None
    markdown: Annotated[OutFile, _file("the table")] = None
    html: Annotated[OutFile, _file("the table as a page")] = None


@arguments
class ReportArguments:
    """`evalkit report`: one page for some runs."""

    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    baseline: Annotated[Any, Flag("The run that the others are held against; else the first one.", metavar="RUN")] = (
        None
    )
    tasks: Annotated[Names, _TASKS_OF_RUNS] = ()
    policy: Annotated[Any, Flag(f"What the verdict tolerates; {_ONE_POLICY}", metavar="gate.yaml")] = None
    allow: Annotated[Names, _ALLOW] = ()
    texts: Annotated[
        float,
        Field(ge=0),
        Flag(
            "How much of prompts and answers to embed, before compression; changed documents come first.", metavar="MB"
        ),
    ] = 24.0
    html: Annotated[OutFile, _file("the page, one file that loads nothing")] = None
    markdown: Annotated[OutFile, _file("leaderboard and verdicts")] = None


@arguments
class JudgeArguments:
    """`evalkit judge run` and `evalkit judge replay`: a run's answers, judged."""

    rubric: Annotated[str, Flag("A rubric's id, or the path of its file.", metavar="ID")]
    include_path: Annotated[Names, Flag("A folder of your own rubrics.", metavar="DIR", many=True)] = ()
    judge: Annotated[Names, Flag(judge_help, metavar="JUDGE", many=True)]
    judge_args: Annotated[JudgeArgs, Flag(JUDGE_ARGS, metavar="K=V,…", many=True)] = field(default_factory=dict)
    tasks: Annotated[Names, Flag("Only these tasks of the run.", metavar="A,B", short=("-t",), many=True)] = ()
    input: Annotated[
        Arguments,
        BeforeValidator(_fields),
        Flag("Take an input from a field: reference=answer.", metavar="NAME=FIELD", many=True),
    ] = field(default_factory=dict)
    against: Annotated[Any, Flag("The other run of a comparison; else the documents' reference.", metavar="RUN")] = None
    reference: Annotated[
        Path | None, Flag("The other answers from a file: rows of instruction and output.", metavar="FILE")
    ] = None
    limit: Annotated[int | None, Field(ge=1), Flag("Only the first N answers.", metavar="N", short=("-L",))] = None
    max_usd: Annotated[float | None, Field(ge=0), Flag("Stop before this is spent.", metavar="USD")] = None
    dry_run: Annotated[bool, Flag("Only say how many requests, tokens and dollars it would take.", switch=True)] = False
    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    journal: Annotated[
        Folder | None, Flag("Where answers are kept; by default .journal under --output-path.", metavar="DIR")
    ] = None
    json: Annotated[OutFile, _file("the judged figures")] = None
    quiet: Annotated[bool, QUIET] = False


@arguments
class MergeArguments:
    """`evalkit merge`: the runs of all shards, joined into one."""

    name: Annotated[str | None, Flag("The joined run's id.", metavar="NAME")] = None
    output_path: Annotated[Folder, RUNS_FOLDER] = Path("results")
    include_path: Annotated[Names, Flag("The folder of your own tasks, as of the runs.", metavar="DIR", many=True)] = ()
    allow_task_code: Annotated[bool, Flag("As of the runs.", switch=True)] = False
    data_dir: Annotated[Folder | None, Flag("An offline mirror of the data sets.", metavar="DIR")] = None
    input: Annotated[str | None, Flag("As of the runs, for --tasks qa.csv.", metavar="NAME")] = None
    target: Annotated[str | None, Flag("As of the runs, for --tasks qa.csv.", metavar="NAME")] = None
    score: Annotated[str | None, Flag("As of the runs, for --tasks qa.csv.", metavar="HOW")] = None
    json: Annotated[OutFile, _file("the results")] = None
