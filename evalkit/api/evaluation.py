"""A model is run on tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.api.definitions import EvaluateArguments, paid_engines
from evalkit.api.estimates import Estimate
from evalkit.api.exports import log_runs
from evalkit.api.finishing import finish
from evalkit.api.loaded import in_memory as _in_memory
from evalkit.api.loaded import label_of, loaded_model
from evalkit.api.output import write_all
from evalkit.api.policies import PolicyLike, as_policy
from evalkit.api.recipes import find_recipe
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import Given, definition, of_call
from evalkit.config import read_file
from evalkit.engines.spec import AUTO, find_spec
from evalkit.errors import UsageError
from evalkit.exporting import ready
from evalkit.types import Arguments

__all__ = ["evaluate", "evaluate_links", "with_file"]


def evaluate(
    model: str | Path | Sequence[str] | Any = None,
    *,
    tokenizer: Any = None,
    tasks: str | Sequence[str] = (),
    model_args: str | Arguments | None = None,
    engine: str = "auto",
    adapter: str | Sequence[str] | Mapping[str, str] = (),
    no_base: bool = False,
    device: str | None = None,
    batch_size: int | str = "auto",
    replicas: int | str | None = None,
    cluster: str | None = None,
    shard: str | None = None,
    trust_remote_code: bool = False,
    input: str | None = None,
    target: str | None = None,
    score: str | None = None,
    num_fewshot: int | None = None,
    limit: float | str | None = None,
    apply_chat_template: bool | str = False,
    fewshot_as_multiturn: bool | None = None,
    system_instruction: str | None = None,
    chat_template_kwargs: str | Arguments | None = None,
    enable_thinking: bool | None = None,
    reasoning_effort: str | None = None,
    think_start: str | None = None,
    think_end: str | None = None,
    no_think: bool = False,
    think_budget: int | None = None,
    gen_kwargs: str | Arguments | None = None,
    self_debias: str | Sequence[str] = (),
    debias_lambda: float = 50.0,
    debias_epsilon: float = 0.01,
    drop: float | None = None,
    power: float | None = None,
    sized_by: str | None = None,
    repeats: int | None = None,
    seed: int | str | Sequence[int] | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    allow_task_code: bool = False,
    data_dir: str | Path | None = None,
    sandbox: str = "auto",
    sandbox_packages: str | Sequence[str] = (),
    sandbox_seconds: float | None = None,
    output_path: str | Path = "results",
    journal: str | Path | None = None,
    name: str | None = None,
    fresh: bool = False,
    judge: str | Sequence[str] = (),
    rubric: str | None = None,
    judge_args: str | Arguments | None = None,
    against: RunLike | None = None,
    policy: PolicyLike | None = None,
    max_usd: float | None = None,
    dry_run: bool = False,
    recipe: str | None = None,
    config: str | Path | None = None,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
    log_to: str | Sequence[str] = (),
    progress: bool = False,
) -> Run | Any:
    """Evaluate a model on tasks and keep everything under `output_path`.

    `model` is what the flag takes, or a transformers model that is in memory, plain or in a peft wrapper, with its
    `tokenizer`: it is not copied, and is afterwards in the mode that it was in.

    One model gives a `Run`; several models or adapters give a list of them, and `dry_run` an `Estimate`. The keys of a
    `config` file stand in for arguments that are left at their defaults. Where something goes wrong after answers were
    kept, the error's `runs` are the runs that were written. `log_to` names experiment trackers that get the figures.
    """
    given = of_call(EvaluateArguments, locals())
    in_memory = _in_memory(model, tokenizer)
    if in_memory is not None:
        given["model"] = label_of(in_memory)
    asked = _checked(_not_default(given) if config is not None or recipe is not None else given)
    from evalkit.registry import Registry

    Registry(asked.include_path).refuse_unknown(asked.tasks)  # a mistyped task is answered before anything is loaded
    shown = progress and not asked.quiet
    if in_memory is None:
        return _evaluate(asked, progress=shown)
    with loaded_model(in_memory, tokenizer, asked) as loaded:
        return _evaluate(asked, progress=shown, loaded=loaded)


def evaluate_links(known_as: Mapping[str, str], *, progress: bool = False, **given: Any) -> Any:
    """`evaluate` on folders of links; results name the folders that these stand for."""
    asked = replace(_checked(given), known_as=known_as)
    return _evaluate(asked, progress=progress and not asked.quiet)


def with_file(given: Given) -> Given:
    """What was given, and for the rest the keys of its `config` file or `recipe`."""
    path = given.get("config")
    rest = {name: value for name, value in given.items() if name != "config" and value is not None}
    known = [argument.name for argument in definition(EvaluateArguments) if argument.name != "config"]
    if rest.get("recipe") is not None:
        rest = {**find_recipe(str(rest["recipe"])).flags(known), **rest}
    if path is None:
        return rest
    return {**read_file(Path(path), known), **rest}


def _not_default(given: Given) -> Given:
    defaults = {argument.name: argument.default for argument in definition(EvaluateArguments)}
    return {name: value for name, value in given.items() if value != defaults[name]}


def _checked(given: Given) -> EvaluateArguments:
    """Everything that can be wrong with the arguments themselves."""
    asked = with_file(given)
    checked = EvaluateArguments.build(**asked)
    if checked.max_usd is not None:
        if not _costs(checked.engine):
            raise UsageError(f"--max-usd is for --engine {paid_engines()}: a model of your own costs nothing here")
        checked = replace(checked, model_args={**checked.model_args, "max_usd": checked.max_usd})
    if checked.score == "judge" and not checked.judge:
        raise UsageError("--score judge needs --judge MODEL and --rubric ID: who reads the answers, and by what?")
    if (checked.judge or checked.rubric or checked.judge_args) and not (checked.judge and checked.rubric):
        raise UsageError("--judge and --rubric go together: who judges, and by what")
    if checked.policy is not None and checked.against is None:
        raise UsageError(
            "--policy goes with --against RUN, the run to be held against; to judge a finished run, type"
            " evalkit gate BASELINE CANDIDATE --policy FILE"
        )
    if checked.against is not None and checked.judge:
        raise UsageError(
            "--against stops a run early, and --judge reads whole runs: drop one of them. For a verdict on judged"
            " figures run without --against, then type evalkit gate BASELINE RUN --policy FILE --labels LABELS"
        )
    if checked.log_to:
        ready(checked.log_to, "--log-to", tracking=True)  # a tracker that is not installed must not cost a run
    return checked


def _costs(engine: str) -> bool:
    return engine != AUTO and find_spec(engine).costs_money


def _evaluate(asked: EvaluateArguments, *, progress: bool, loaded: Any = None) -> Any:
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner import EarlyGate, run
    from evalkit.runner.run_cost import estimate_run

    if asked.dry_run and loaded is not None:
        raise UsageError("--dry-run is for models that cost money: one in memory costs nothing")
    if asked.dry_run:
        with Progress.open(quiet=not progress) as shown:
            estimate = Estimate(estimate_run(asked, shown))
        write_all((asked.json, estimate.json))
        return estimate
    request = _judge_request(asked)
    early = None
    if asked.against is not None:
        policy = as_policy(asked.policy)
        if policy is not None and (of_clean := [name for name, rule in policy.tasks.items() if rule.clean_only]):
            raise UsageError(
                f"--against: {of_clean[0]} is to be judged by clean documents (clean_only), and which of them stand in"
                " this model's training data is marked in a finished run: run without --against, then type evalkit"
                f" overlap TRAIN.jsonl --tasks {of_clean[0]} --mark RUN and evalkit gate BASELINE RUN --policy FILE"
            )
        early = EarlyGate(opened(asked.against, asked.output_path), policy)
    with Progress.open(quiet=not progress) as shown:
        outcomes = run(asked, shown, report, early, loaded)
        if asked.recipe is not None:
            for outcome in outcomes:
                for line in find_recipe(asked.recipe).told(outcome.run) if outcome.run is not None else ():
                    shown.note(line)
        if request is not None:
            from evalkit.runner.judging import judge_outcomes

            outcomes = judge_outcomes(outcomes, request, shown)
    runs = finish(outcomes, asked.json, asked.markdown)
    if asked.log_to:
        log_runs(runs, asked.log_to)
    return runs[0] if len(runs) == 1 else runs


def _judge_request(asked: EvaluateArguments) -> Any:
    """Made before the run, so that a mistyped rubric or judge does not cost one."""
    if not asked.judge or asked.rubric is None:
        return None
    from evalkit.judging.backends.spec import parse_judge
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.run_view import report
    from evalkit.runner.judging import JudgeRequest

    judges = [parse_judge(typed) for typed in asked.judge]
    return JudgeRequest(
        find_rubric(asked.rubric), judges, asked.output_path, asked.judge_args, journal=asked.journal, report=report
    )
