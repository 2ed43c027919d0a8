"""What became of a run: its folder, its figures, its exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit import results
from evalkit.errors import CouldNotDo
from evalkit.registry import Suite, Task
from evalkit.runner.answering import Answered
from evalkit.runner.clock import Clock
from evalkit.runner.figures import group_entries, task_entry, token_entry
from evalkit.runner.manifest import now
from evalkit.runner.preparing import Variant
from evalkit.runner.rounds import Rounds
from evalkit.types import Figure

__all__ = ["Outcome", "Reporter", "write"]

Reporter = Callable[[Mapping[str, Any], Path], str]
"""Results and the folder they go to, as report.md."""


@dataclass(frozen=True, slots=True)
class Outcome:
    path: Path
    results: Mapping[str, Any]
    exit_code: int = 0
    problem: str | None = None
    """One line: why the exit code is not 0."""


def write(
    variant: Variant,
    suite: Suite,
    answered: Answered,
    root: Path,
    limited: bool,
    clock: Clock,
    report: Reporter,
    number: int = 0,
    alone: bool = True,
    rounds: Rounds | None = None,
) -> Outcome:
    """`number` is the variant's place among those of one pass; `alone`: it was the only one."""
    with clock("scoring"):
        rows = answered.grading.rows(number)
        figures = suite.aggregate(rows)
    tasks = {
        name: task_entry(task, rows[name], figures.tasks.get(name) or _none_drawn(task))
        for name, task in suite.tasks.items()
    }
    problem, code = _problem(answered, tasks)
    early: dict[str, Any] = {}
    verdict_code = 0
    if rounds is not None:
        for name, entry in tasks.items():
            entry["not_run"] = rounds.not_run(number, name)
        early["early_stopping"], verdict_code = rounds.conclude(number, rows, whole=answered.error is None)
    found = {
        "model": variant.manifest["model"]["typed"] + (f"+{variant.adapter.name}" if variant.adapter else ""),
        "requested": list(suite.requested),
        "status": _status(code, tasks, limited),
        "limited": limited,
        "tasks": tasks,
        "groups": group_entries(suite, tasks, figures.groups),
        "timing": clock.timing(),
        "tokens": token_entry(
            answered.usage, unique=answered.unique, generated=answered.generated[number], alone=alone
        ),
        "notes": answered.notes,
        **early,
    }
    manifest = {
        **variant.manifest,
        # A run that was cut short is passed over by MODEL@latest; one with documents that failed is not.
        "finished": None if answered.error is not None else now(),
        "engine": dict(answered.engine) if answered.engine else variant.manifest["engine"],
        "sandbox": answered.sandbox,
        **early,
    }
    path = results.run_path(root, variant.slug, variant.run_id)
    with results.RunWriter(root, variant.slug, variant.run_id) as writer:
        for name, task in suite.tasks.items():
            writer.rows(name, rows[name], [metric.partition(",")[0] for metric in task.metrics])
        run = writer.commit(manifest, found, report(found, path))
    return Outcome(run.path, run.results, code or verdict_code, problem)


def _none_drawn(task: Task) -> dict[str, Figure]:
    reason = "no document was drawn before the verdict was sure"
    return {
        name: Figure(None, higher_is_better=task.higher_is_better(name.partition(",")[0]), reason=reason)
        for name in task.metrics
    }


def _status(code: int, tasks: Mapping[str, Mapping[str, Any]], limited: bool) -> str:
    if code:
        return "incomplete"
    if any(entry["missing"] or entry.get("not_run") for entry in tasks.values()):
        return "partial"
    return "limited" if limited else "complete"


def _problem(answered: Answered, tasks: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, int]:
    if answered.error is not None:
        return str(answered.error), answered.error.exit_code
    errors = {name: entry["errors"] for name, entry in tasks.items() if entry["errors"]}
    if errors:
        worst = max(errors, key=errors.__getitem__)
        why = f" (the first: {answered.first_failure})" if answered.first_failure else ""
        line = f"{sum(errors.values())} documents could not be scored, most of them in {worst}{why}"
        return f"{line}; their rows in samples/ say why, everything else is kept", CouldNotDo.exit_code
    for name, entry in tasks.items():
        for metric, figure in entry["metrics"].items():
            # A metric beside the headline may rightly have no value; one whose aggregation raised may not.
            wanted = metric == entry["headline"] or "aggregation failed" in (figure.get("reason") or "")
            if entry["n"] and figure["value"] is None and wanted:
                return f"{name}: {metric} has no value: {figure['reason']}", CouldNotDo.exit_code
    return None, 0
