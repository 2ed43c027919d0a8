"""What each task needs: on a terminal and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from evalkit.gating import Plan, TaskPlan
from evalkit.reporting.tables import Cell, Column, Table, draw, open_console, say

__all__ = ["as_json", "heading", "notes", "records", "show"]

_UNKNOWN = "–"


def as_json(plan: Plan) -> str:
    tasks = {
        task.task: {
            "documents": task.documents,
            "samples": task.samples,
            "have": task.have,
            "discordance": task.discordance if math.isfinite(task.discordance) else None,
        }
        for task in plan.tasks
    }
    return json.dumps({"tasks": tasks}, ensure_ascii=False, indent=1, allow_nan=False)


def records(plan: Plan) -> list[dict[str, Any]]:
    """One flat record for each task."""
    return [
        {
            "task": task.task,
            "metric": task.metric,
            "documents": task.documents,
            "samples": task.samples,
            "have": task.have,
            "discordance": task.discordance if math.isfinite(task.discordance) else None,
            "measured": task.measured,
            "tokens": task.tokens,
            "minutes": task.minutes,
            "reason": task.reason,
        }
        for task in plan.tasks
    ]


def heading(plan: Plan) -> str:
    return (
        f"To find a drop of {plan.drop:g} with probability {plan.power:g} at {plan.confidence * 100:.3g}% confidence"
        f" against {plan.baseline.label} ({plan.baseline.run_id})"
    )


def notes(plan: Plan) -> list[str]:
    notes = [
        f"{task.task}: needs {task.documents:,} documents, has {task.have:,}"
        for task in plan.tasks
        if task.documents is not None and not task.enough
    ]
    notes += [f"{task.task}: {task.reason}" for task in plan.tasks if task.reason]
    if bound := [task.task for task in plan.tasks if not task.measured and not task.reason]:
        notes.append(
            f"{', '.join(bound)}: one answer per document, so the discordance is the largest that the figure allows and"
            " fewer documents may do; a baseline with --repeats 2, or --noise RUN, says it exactly"
        )
    return notes


def show(plan: Plan) -> None:
    console = open_console()
    say(console, heading(plan))
    columns = (
        Column("task"),
        Column("documents", "figure"),
        Column("answers each", "figure"),
        Column("have", "figure"),
        Column("discordance", "figure"),
        Column("tokens", "figure", drop=2),
        Column("minutes", "figure", drop=1),
    )
    draw(console, Table(columns, [_row(task) for task in plan.tasks]))
    for note in notes(plan):
        say(console, f"- {note}")


def _row(task: TaskPlan) -> list[Cell]:
    at_most = "" if task.measured else "≤ "
    known = math.isfinite(task.discordance)
    cells = [
        task.task,
        _UNKNOWN if task.documents is None else f"{task.documents:,}",
        _UNKNOWN if task.samples is None else str(task.samples),
        f"{task.have:,}",
        f"{at_most}{task.discordance:.3f}" if known else _UNKNOWN,
        _UNKNOWN if task.tokens is None else f"{task.tokens:,.0f}",
        _UNKNOWN if task.minutes is None else f"{task.minutes:.1f}",
    ]
    return [Cell(cell) for cell in cells]
