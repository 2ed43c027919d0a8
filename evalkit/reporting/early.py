"""What a run that was judged while it ran has to say: a verdict and the documents it took, task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["headline", "markdown", "show"]

_WORDS = {"pass": "PASS", "regression": "REGRESSION", "cannot_tell": "CANNOT TELL"}
_COLOURS = {"pass": "green", "regression": "red", "cannot_tell": "yellow"}
_COLUMNS = (
    Column("task"),
    Column("verdict"),
    Column("metric", drop=1),
    Column("documents", "figure"),
    Column("Δ so far", "figure"),
    Column("interval for all", "figure"),
    Column("tolerated", "figure", drop=2),
)
_HEAD = tuple(column.title for column in _COLUMNS)


def headline(results: Mapping[str, Any], against: str) -> str:
    """The verdict and what it hangs on, in one line."""
    early = results["early_stopping"]
    verdict, tasks = early["verdict"], early["tasks"]
    if verdict == "pass":
        said = f"{sum(task['verdict'] == 'pass' for task in tasks.values())} of {len(tasks)} tasks"
        said += " within their tolerance"
    else:
        said = ", ".join(name for name, task in tasks.items() if task["verdict"] == verdict and _counts(task, verdict))
    used, of = (sum(task[key] for task in tasks.values()) for key in ("n", "of"))
    return f"{_WORDS[verdict]}{against}: {said}; {used:,} of {of:,} documents"


def markdown(results: Mapping[str, Any]) -> list[str]:
    """Lines of report.md; none where the run was not judged."""
    tasks = _tasks(results)
    if not tasks:
        return []
    lines = ["", f"### {safe.markdown(headline(results, ''))}", "", row(_HEAD)]
    lines.append(rule(len(_HEAD), words=3))
    lines += [row(_cells(name, task)) for name, task in tasks.items()]
    return [*lines, "", *(f"- **{safe.markdown(name)}**: {safe.markdown(reason)}" for name, reason in _reasons(tasks))]


def show(console: Console, results: Mapping[str, Any]) -> None:
    """The same on a terminal."""
    tasks = _tasks(results)
    if not tasks:
        return
    say(console, headline(results, ""), f"bold {_COLOURS[results['early_stopping']['verdict']]}")
    console.print()
    rows: list[list[Cell | str]] = []
    for name, task in tasks.items():
        cells: list[Cell | str] = list(_cells(name, task))
        cells[1] = Cell(str(cells[1]), _COLOURS[task["verdict"]])
        rows.append(cells)
    draw(console, Table(_COLUMNS, rows))
    for name, reason in _reasons(tasks):
        say(console, f"{name}: {reason}", indent=2)


def _tasks(results: Mapping[str, Any]) -> Mapping[str, Any]:
    early = results.get("early_stopping") or {}
    return early.get("tasks") or {} if early.get("verdict") else {}


def _reasons(tasks: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, reason) for name, task in tasks.items() for reason in task["reasons"]]


def _counts(task: Mapping[str, Any], verdict: str) -> bool:
    return bool(task["tier"] != "advisory" if verdict == "regression" else task["tier"] == "critical")


def _cells(name: str, task: Mapping[str, Any]) -> Sequence[str]:
    points = all(value is None or 0 <= value <= 1 for value in (task["baseline"], task["candidate"]))
    ends = [task["lower"]["value"], task["upper"]["value"]]
    if not task["higher_is_better"]:
        # The bounds point up where the candidate is better; the difference is as the figures are.
        ends = [None if end is None else -end for end in reversed(ends)]
    drop = task["max_drop"]
    return [
        name,
        _WORDS[task["verdict"]] + ("" if task["tier"] == "critical" else f" ({task['tier']})"),
        task["metric"] + ("" if task["higher_is_better"] else " ↓"),
        f"{task['n']:,} of {task['of']:,}",
        _signed(task["delta"], points),
        " to ".join(_signed(end, points) for end in ends),
        f"−{drop * 100:.2f}" if points and not isinstance(drop, str) else f"−{drop}",
    ]


def _signed(value: float | None, points: bool) -> str:
    if value is None:
        return "?"
    return f"{value * 100:+.2f}" if points else f"{value:+.4g}"
