"""Checkpoints are evaluated as a trainer writes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import gating, results, training
from evalkit.api.checkpoints import is_alike, model_of, probe_of, refuse_wrong, settings_of
from evalkit.api.evaluation import evaluate_links
from evalkit.api.learning_curves import curve
from evalkit.api.policies import PolicyLike, as_policy
from evalkit.api.runs import RunLike, opened
from evalkit.api.watch_costs import cost_before
from evalkit.api.watch_definitions import WatchArguments
from evalkit.arguments import from_call
from evalkit.errors import EvalkitError, RunFolderError, UsageError
from evalkit.hardware import hardware
from evalkit.policy import Policy
from evalkit.training.budget import Choice, parse_seconds
from evalkit.training.budgeting import Budget
from evalkit.training.checkpoints import Checkpoint
from evalkit.training.memory import Memory
from evalkit.training.spending import confidence_of_look
from evalkit.training.telling import Telling

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WatchedCheckpoints", "watch"]


@dataclass(frozen=True, eq=False)
class WatchedCheckpoints:
    """What one watch evaluated, in the order in which it did."""

    evaluated: tuple[training.Evaluated, ...]

    @property
    def regression(self) -> bool:
        """Whether a regression against the baseline is sure."""
        return any(checkpoint.verdict == "regression" for checkpoint in self.evaluated)

    @property
    def exit_code(self) -> int:
        return 1 if self.regression else 0

    def frame(self) -> pd.DataFrame:
        """One row for each checkpoint."""
        import pandas as pd

        rows = [
            {
                "checkpoint": evaluated.checkpoint.name,
                "step": evaluated.checkpoint.step,
                "run": evaluated.run.run_id,
                "verdict": evaluated.verdict,
            }
            for evaluated in self.evaluated
        ]
        return pd.DataFrame(rows)


def watch(
    directory: str | Path,
    *,
    tasks: str | list[str] | tuple[str, ...] = (),
    model: str | None = None,
    limit: float | str | None = None,
    budget: str | None = None,
    config: str | Path | None = None,
    output_path: str | Path = "results",
    baseline: RunLike | None = None,
    policy: PolicyLike | None = None,
    stop_file: str | Path | None = None,
    exec_: str | None = None,
    post: str | None = None,
    every: float = 30.0,
    once: bool = False,
    progress: bool = False,
) -> WatchedCheckpoints:
    """Evaluate each checkpoint that a trainer writes into `directory`, once it is whole, the newest first.

    Goes on until it is interrupted; with `once`, until what is there is evaluated; with `stop_file`, until a regression
    against `baseline` is sure.
    """
    asked = from_call(WatchArguments, locals())
    return _watch(Path(directory), asked, progress=progress)


def _watch(folder: Path, asked: WatchArguments, *, progress: bool) -> WatchedCheckpoints:
    if not asked.tasks:
        raise UsageError("--tasks is missing: which tasks is each checkpoint evaluated on?")
    if asked.baseline is None and (asked.stop_file or asked.policy):
        raise UsageError("--stop-file and --policy need --baseline RUN: against what is a checkpoint a regression?")
    if asked.budget is not None and asked.limit is not None:
        raise UsageError("--budget picks how many documents are asked, and --limit says it: drop one of them")
    settings = settings_of(asked.config, "the watch")
    refuse_wrong(settings, asked.tasks)
    baseline = None if asked.baseline is None else opened(asked.baseline, asked.output_path)
    rules = as_policy(asked.policy) or Policy()
    plan = training.Watch(folder, asked.output_path, asked.stop_file, asked.every, asked.once)

    budget = None
    if asked.budget is not None:
        seconds = parse_seconds(asked.budget)
        budget = Budget(seconds, asked.tasks, settings, hardware(), _say, plan.file(".budget.json"))
    else:
        _say(cost_before(_earlier(plan), baseline, asked.tasks))

    def evaluated(checkpoint: Checkpoint, name: str) -> results.Run:
        choice = None if budget is None else chosen(budget, checkpoint)
        run = evaluate_links(
            {str(checkpoint.path): str(folder / checkpoint.name)},
            **settings,
            **model_of(checkpoint, asked.model),
            tasks=asked.tasks if choice is None else choice.tasks,
            limit=asked.limit if choice is None else choice.limit,
            output_path=asked.output_path,
            name=name,
            progress=progress,
        )
        return opened(run, asked.output_path)

    def chosen(budget: Budget, checkpoint: Checkpoint) -> Choice:
        before = _earlier(plan)[::-1]
        alike = baseline is not None and is_alike(baseline, checkpoint, asked.model)
        return budget.choose(
            probe_of(checkpoint, asked.model, settings, asked.output_path),
            timed=[*before, *([baseline] if baseline is not None and alike else [])],
            earlier=[*before, *([baseline] if baseline is not None else [])],
        )

    def judged(run: results.Run, look: int) -> str:
        assert baseline is not None
        level = confidence_of_look(look, rules.confidence)
        return gating.gate(baseline, run, replace(rules, confidence=level)).verdict

    def draw(runs: list[str]) -> None:
        if len(runs) > 1:
            try:
                curve(runs, output_path=asked.output_path, baseline=asked.baseline, json=plan.file(".curve.json"))
            except EvalkitError as error:
                telling.note(f"no curve: {error}")

    telling = Telling(_say, plan.log, asked.exec_, asked.post)
    watcher = training.Watcher(plan, evaluated, telling, judged if baseline is not None else None, draw)
    return WatchedCheckpoints(tuple(watcher.run()))


def _earlier(plan: training.Watch) -> list[results.Run]:
    """Runs of an earlier watch of the same folder."""
    runs = []
    for path in Memory.read(plan.file(".json")).runs():
        try:
            runs.append(results.Run.open(Path(path)))
        except RunFolderError:
            continue  # it was removed since
    return runs


def _say(line: str) -> None:
    from evalkit.reporting.tables import note

    note(line)
