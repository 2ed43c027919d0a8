"""Stage 5, write: write the graded documents of a variant to a run folder, with figures, status and exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.config import RunConfig
from evalkit.errors import CouldNotDo
from evalkit.parsing import Shard
from evalkit.registry import Suite, Task
from evalkit.results import (
    Count,
    EarlyStopping,
    EngineInfo,
    Reporter,
    Results,
    Run,
    RunWriter,
    TaskResult,
    Timing,
)
from evalkit.runner.answering import PassResult
from evalkit.runner.clock import Clock
from evalkit.runner.figures import group_entries, task_entry, token_entry
from evalkit.runner.manifest import now
from evalkit.runner.preparing import Variant
from evalkit.types import Figure

__all__ = ["Outcome", "write"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended."""

    run: Run | None
    """The run; None if nothing was answered, and so nothing was written."""
    exit_code: int = 0
    problem: str | None = None
    """One line that says why the exit code is not 0."""

    @property
    def path(self) -> Path:
        if self.run is None:
            raise ValueError(f"nothing was answered, so there is no run: {self.problem}")
        return self.run.path


def write(
    config: RunConfig,
    variant: Variant,
    suite: Suite,
    result: PassResult,
    clock: Clock,
    report: Reporter,
    number: int = 0,
) -> Outcome:
    """Write the run folder of one variant; `number` is its position in the pass."""
    if result.error is not None and not result.grading.graded:
        return Outcome(None, result.error.exit_code, str(result.error))
    with clock("scoring"):
        rows = {name: suite.tasks[name].with_contributions(mine) for name, mine in result.grading.rows(number).items()}
        figures = suite.aggregate(rows)
    tasks = {
        name: task_entry(task, rows[name], figures.tasks.get(name) or _none_drawn(task, config.shard))
        for name, task in suite.tasks.items()
    }
    problem, code = _problem(result, tasks)
    early: dict[str, EarlyStopping] = {}
    verdict_code = 0
    if result.rounds is not None:
        left_out = {name: result.rounds.not_run(number, name) for name in tasks}
        tasks = {name: task.model_copy(update={"not_run": Count(value=left_out[name])}) for name, task in tasks.items()}
        early["early_stopping"], verdict_code = result.rounds.conclude(number, rows, whole=result.error is None)
    limited = config.limit is not None or any(task.is_cut for task in suite.tasks.values())
    content = Results(
        model=str(variant.manifest.model.typed) + (f"+{variant.adapter.name}" if variant.adapter else ""),
        requested=suite.requested,
        status=_status(code, tasks, limited, config.shard is not None),
        limited=limited,
        tasks=tasks,
        groups=group_entries(suite, tasks, figures),
        timing=Timing.model_validate({**clock.timing(), "own_share": result.own_share}),
        tokens=token_entry(
            result.usage, unique=result.unique, generated=result.generated[number], alone=len(result.generated) == 1
        ),
        notes=(),
    ).model_copy(update=early)
    engine = dict(result.engine or {})
    replicas = engine.pop("replicas", None)
    manifest = variant.manifest.model_copy(
        update={
            # MODEL@latest skips a run that was cut short (no `finished`), but not a run with documents that failed.
            "finished": None if result.error is not None else now(),
            "engine": EngineInfo.model_validate(engine) if engine else variant.manifest.engine,
            **({"replicas": replicas} if replicas is not None else {}),
            "sandbox": result.sandbox,
            **early,
        }
    )
    with RunWriter(config.output_path, variant.slug, variant.run_id) as writer:
        for name, task in suite.tasks.items():
            writer.rows(name, rows[name], [metric.partition(",")[0] for metric in task.metrics])
        run = writer.commit(manifest, content, report)
    return Outcome(run, code or verdict_code, problem)


def _none_drawn(task: Task, shard: Shard | None) -> dict[str, Figure]:
    reason = "no document was drawn before the verdict was sure"
    if shard is not None:
        reason = f"shard {shard} has none of its documents"
    return {
        name: Figure(None, higher_is_better=task.higher_is_better(name.partition(",")[0]), reason=reason)
        for name in task.metrics
    }


def _status(code: int, tasks: Mapping[str, TaskResult], limited: bool, is_share: bool) -> str:
    if code:
        return "incomplete"
    if is_share or any(task.missing.value or task.not_run.value for task in tasks.values()):
        return "partial"
    return "limited" if limited else "complete"


def _problem(result: PassResult, tasks: Mapping[str, TaskResult]) -> tuple[str | None, int]:
    if result.error is not None:
        return str(result.error), result.error.exit_code
    errors = {name: task.errors.value for name, task in tasks.items() if task.errors.value}
    if errors:
        worst = max(errors, key=errors.__getitem__)
        why = f" (the first: {result.first_failure})" if result.first_failure else ""
        line = f"{sum(errors.values())} documents could not be scored, most of them in {worst}{why}"
        return f"{line}; their rows in samples/ say why, everything else is kept", CouldNotDo.exit_code
    for name, task in tasks.items():
        for metric, figure in task.metrics.items():
            # A metric other than the headline may have no value, unless its aggregation raised an error.
            wanted = metric == task.headline or "aggregation failed" in (figure.reason or "")
            if task.n and figure.value is None and wanted:
                return f"{name}: {metric} has no value: {figure.reason}", CouldNotDo.exit_code
    return None, 0
