"""evalkit run"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from evalkit import safe
from evalkit.cli.options import (
    EngineOption,
    Verb,
    debug_option,
    file_option,
    journal_option,
    output_path_option,
    question_options,
    write_to,
)
from evalkit.errors import ConfigError
from evalkit.scrub import Scrubber

__all__ = ["command", "conclude"]

_PAIRS = ("model_args", "gen_kwargs", "judge_args")
_MAPPINGS = "evalkit.mappings"
"""A file may give pairs as a mapping, whose values keep their types: lists of stop strings have no form as a flag."""


def _read_config(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Make the file's keys the defaults: a flag or its variable still wins."""
    if value is None:
        return None
    from evalkit.config import read_file

    params = {p.name: p for p in ctx.command.params if p.name and p.name not in ("config", "help", "debug")}
    for key, found in read_file(value, list(params)).items():
        if isinstance(found, Mapping) and key in _PAIRS:
            ctx.meta[_MAPPINGS] = {**ctx.meta.get(_MAPPINGS, {}), key: found}
        else:
            ctx.default_map = {**(ctx.default_map or {}), key: _as_typed(params[key], found, value)}
    return value


def _as_typed(param: click.Parameter, value: Any, file: Path) -> Any:
    """What YAML holds as the flag would have been typed; a flag that may be repeated gets a list."""
    if isinstance(value, Mapping):
        if param.name != "adapter":
            raise ConfigError(f"--config {file}: {param.name} is a value or a list, not a mapping")
        value = [f"{name}={path}" for name, path in value.items()]
    if param.multiple:
        return [str(part) for part in (value if isinstance(value, list) else [value]) if part is not None]
    return ",".join(str(part) for part in value) if isinstance(value, list) else value


def _engine_help() -> str:
    from evalkit.engines.spec import AUTO, engine_names

    *others, last = (AUTO, *engine_names())
    return f"{', '.join(others)} or {last}."


def _device_help() -> str:
    from evalkit.engines.spec import startable

    takes = ", ".join(spec.name for spec in startable() if spec.device == "taken")
    return f"cpu, cuda, cuda:1 … ({takes} only); found by itself."


def _judge_help() -> str:
    from evalkit.engines.spec import judge_forms

    return f"Then judge the answers: {judge_forms()}."


def _that_cost() -> str:
    """The engines whose answers are paid for."""
    from evalkit.engines.spec import startable

    return " or ".join(spec.name for spec in startable() if spec.costs_money)


def _costs(engine: str) -> bool:
    from evalkit.engines.spec import AUTO, find_spec

    return engine != AUTO and find_spec(engine).costs_money


def engine_options(function: Any) -> Any:
    """What decides how a model is loaded and asked."""
    for option in reversed(
        [
            click.option(
                "--model",
                "-m",
                "-M",
                multiple=True,
                metavar="MODEL",
                help="An alias (evalkit models), a hub id, a path or nano; several with commas.",
            ),
            click.option(
                "--model-args",
                "-a",
                multiple=True,
                metavar="K=V,…",
                help="Engine arguments: dtype=bfloat16, revision=…, max_model_len=…",
            ),
            click.option(
                "--engine",
                cls=EngineOption,
                default="auto",
                show_default=True,
                metavar="ENGINE",
                help=_engine_help,
            ),
            click.option(
                "--adapter",
                multiple=True,
                metavar="[NAME=]PATH",
                help="A LoRA adapter; repeat for several. The base runs too.",
            ),
            click.option("--no-base", is_flag=True, help="Leave the base out; run its adapters only."),
            click.option("--device", cls=EngineOption, metavar="DEVICE", help=_device_help),
            click.option(
                "--batch-size", "-b", default="auto", show_default=True, metavar="N", help="auto, or at most N at once."
            ),
            click.option(
                "--trust-remote-code", is_flag=True, help="Let this model's repository run its own Python. Recorded."
            ),
        ]
    ):
        function = option(function)
    return function


@click.command("run", cls=Verb)
@click.option(
    "--config",
    "-C",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    metavar="FILE.yaml",
    help="A YAML file with the same keys as these flags.",
)
@engine_options
@click.option(
    "--tasks",
    "-t",
    multiple=True,
    metavar="A,B",
    help="Tasks, groups, globs (evalkit tasks list), qa.csv or alpaca:FILE.",
)
@question_options
@click.option(
    "--num-fewshot",
    "-f",
    type=click.IntRange(min=0),
    metavar="N",
    help="Examples in the prompt; each task has its usual number.",
)
@click.option(
    "--limit", "-L", metavar="N", help="Only the first N documents of each task, or a share below 1. Stamped LIMITED."
)
@click.option(
    "--apply-chat-template",
    is_flag=False,
    flag_value="true",
    metavar="[NAME]",
    help="Render prompts with the model's chat template.",
)
@click.option(
    "--fewshot-as-multiturn",
    is_flag=False,
    flag_value="true",
    metavar="[true|false]",
    help="Examples as turns; implied by --apply-chat-template.",
)
@click.option("--system-instruction", metavar="TEXT", help="A system prompt.")
@click.option("--gen-kwargs", multiple=True, metavar="K=V,…", help="Generation settings over the tasks' own.")
@click.option("--repeats", type=click.IntRange(min=1), metavar="N", help="Samples of each prompt, for pass@k.")
@click.option("--seed", metavar="N[,N,N,N]", help="One seed, or lm-eval's four.  [default: 0,1234,1234,1234]")
@click.option("--include-path", multiple=True, metavar="DIR", help="A folder of your own tasks in lm-eval's YAML.")
@click.option("--allow-task-code", is_flag=True, help="Let task files in --include-path run their own Python.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="An offline mirror of the data sets.",
)
@click.option(
    "--sandbox",
    default="auto",
    show_default=True,
    metavar="TIER",
    help="How generated code is held: auto, namespaces, landlock or unsafe-none.",
)
@output_path_option
@journal_option
@click.option("--name", metavar="NAME", help="The run's id; by default the time and four hex digits.")
@click.option("--fresh", is_flag=True, help="Ask again whatever is kept: a second baseline for gate --noise.")
@click.option(
    "--log-samples", "-s", is_flag=True, hidden=True, help="Accepted for lm-eval's sake: samples are always kept."
)
@click.option(
    "--judge",
    cls=EngineOption,
    multiple=True,
    metavar="JUDGE",
    help=_judge_help,
)
@click.option("--rubric", metavar="ID", help="By this rubric (a shipped id, or the path of a file).")
@click.option("--judge-args", multiple=True, metavar="K=V,…", help="timeout=60, max_usd=5, price=0.15/0.60 …")
@click.option(
    "--against", metavar="RUN", help="Judge it against this run while it runs, and stop each task once that is sure."
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="gate.yaml",
    help="With --against: what is tolerated; without one, every shared task may drop by 0.01.",
)
@click.option(
    "--max-usd",
    cls=EngineOption,
    type=click.FloatRange(min=0),
    metavar="USD",
    help=lambda: f"Stop before this is spent (--engine {_that_cost()}).",
)
@click.option("--dry-run", is_flag=True, help="Only say how many requests, tokens and dollars it would take.")
@file_option("json", "the results")
@file_option("markdown", "the table")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the result.")
@debug_option
def command(
    quiet: bool,
    log_samples: bool,
    json: str | None,
    markdown: str | None,
    judge: tuple[str, ...],
    rubric: str | None,
    judge_args: tuple[str, ...],
    against: str | None,
    policy: Path | None,
    max_usd: float | None,
    dry_run: bool,
    **flags: Any,
) -> None:
    """Evaluate a model on tasks and keep everything under --output-path.

    \b
    evalkit run --model nano --tasks mini
    evalkit run --model mistral-7b-instruct --tasks mmlu,gsm8k --apply-chat-template
    """
    from evalkit.config import RunConfig

    mappings = click.get_current_context().meta.get(_MAPPINGS, {})
    judge_args = judge_args or mappings.get("judge_args", ())
    flags |= {key: found for key, found in mappings.items() if key in flags and not flags[key]}
    if max_usd is not None:
        if not _costs(flags["engine"]):
            raise click.UsageError(f"--max-usd is for --engine {_that_cost()}: a model of your own costs nothing here")
        flags["model_args"] = _with(flags["model_args"], max_usd=max_usd)
    if flags["score"] == "judge" and not judge:
        raise click.UsageError("--score judge needs --judge MODEL and --rubric ID: who reads the answers, and by what?")
    config = RunConfig.build(**flags)  # before the rest is imported: a mistyped flag is answered at once
    from evalkit.registry import Registry

    Registry(config.include_path).refuse_unknown(config.tasks)  # and so is a mistyped task
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner import run

    if dry_run:
        _estimate(config, quiet, json)
        return
    request = _judge_request(judge, rubric, judge_args, config.output_path, config.journal)
    watched = _against(against, policy, judged=bool(judge), root=config.output_path)
    with Progress.open(quiet=quiet) as progress:
        finished = run(config, progress, report, watched)
        if request is not None:
            from evalkit.runner.judging import judge_outcomes

            finished = judge_outcomes(finished, request, progress)
    conclude(finished, json, markdown)


def _with(model_args: Any, **more: Any) -> Any:
    """Arguments of the model as they were typed or stood in a file, and more."""
    if isinstance(model_args, Mapping):
        return {**model_args, **more}
    return (*model_args, *(f"{name}={value}" for name, value in more.items()))


def _estimate(config: Any, quiet: bool, json: str | None) -> None:
    from evalkit.reporting.judge_view import as_json, show_estimate
    from evalkit.reporting.progress import Progress
    from evalkit.runner.run_cost import estimate_run

    with Progress.open(quiet=quiet) as progress:
        cost = estimate_run(config, progress)
    write_to(json, as_json(cost))
    if json != "-":
        show_estimate(cost)


def _judge_request(
    judge: tuple[str, ...], rubric: str | None, judge_args: tuple[str, ...], root: Path, journal: Path | None
) -> Any:
    """Checked before the run, so that a mistyped rubric does not cost one."""
    if not judge and rubric is None and not judge_args:
        return None
    if not judge or rubric is None:
        raise click.UsageError("--judge and --rubric go together: who judges, and by what")
    from evalkit.arguments import split_list
    from evalkit.config import parse_pairs
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.run_view import report
    from evalkit.runner.judges import parse_judge
    from evalkit.runner.judging import JudgeRequest

    judges = [parse_judge(typed) for typed in split_list(judge)]
    return JudgeRequest(
        find_rubric(rubric), judges, root, parse_pairs(judge_args, "--judge-args"), journal=journal, report=report
    )


def _against(ref: str | None, policy: Path | None, *, judged: bool, root: Path) -> Any:
    """Found before the run: its baseline, and what is tolerated."""
    if ref is None:
        typed = click.get_current_context().get_parameter_source("policy")
        if policy is not None and typed is not ParameterSource.ENVIRONMENT:  # EVALKIT_POLICY may be meant for the gate
            raise click.UsageError(
                "--policy goes with --against RUN, the run to be held against; to judge a finished run, type"
                " evalkit gate BASELINE CANDIDATE --policy FILE"
            )
        return None
    if judged:
        raise click.UsageError("--against stops a run early, and --judge reads whole runs: drop one of them")
    from evalkit.cli.runs import find_run
    from evalkit.policy import Policy
    from evalkit.runner import EarlyGate

    return EarlyGate(find_run(ref, root), Policy() if policy is None else Policy.load(policy))


def conclude(finished: Sequence[Any], json: str | None, markdown: str | None) -> NoReturn:
    """Show and write what came out, then leave with the right exit code."""
    from evalkit.reporting.run_view import as_json, as_markdown, show

    # Where nothing was answered there is no run to show: its problem says why.
    if written := [outcome for outcome in finished if outcome.run is not None]:
        write_to(json, as_json(written))
        write_to(markdown, as_markdown(written))
        if "-" not in (json, markdown):
            show(written)
    for outcome in finished:
        if outcome.problem:
            click.echo(f"evalkit: {safe.terminal(Scrubber().text(outcome.problem))}", err=True)
    codes = [outcome.exit_code for outcome in finished]
    # A regression outweighs what can't be told, as in the gate; what could not be done outweighs both.
    raise SystemExit(max(codes, key=lambda code: (code not in (0, 3), code > 1, code), default=0))
