"""Shows the verdict of a run with --against: for each task, the verdict and how many documents it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.reporting.pieces import row, rule
from evalkit.reporting.tables import Cell, Column, Table, draw, say
from evalkit.results import Results
from evalkit.results.record import EarlyTask

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


def headline(results: Results, against: str) -> str:
    """The verdict and the tasks that decided it, in one line."""
    tasks = _tasks(results)
    verdict = _verdict(results)
    if verdict == "pass":
        passed = sum(task.verdict == "pass" for task in tasks.values())
        why = f"{passed} of {len(tasks)} tasks within their tolerance"
    else:
        why = ", ".join(name for name, task in tasks.items() if task.verdict == verdict and _counts(task, verdict))
    used, whole = (
        sum(count or 0 for count in counts) for counts in zip(*((t.n, t.of) for t in tasks.values()), strict=True)
    )
    return f"{_WORDS[verdict]}{against}: {why}; {used:,} of {whole:,} documents"


def markdown(results: Results) -> list[str]:
    """The lines for report.md; empty if the run was not judged while it ran."""
    tasks = _tasks(results)
    if not tasks:
        return []
    lines = ["", f"### {safe.markdown(headline(results, ''))}", "", row(_HEAD)]
    lines.append(rule(len(_HEAD), words=3))
    lines += [row(_cells(name, task)) for name, task in tasks.items()]
    reasons = [f"- **{safe.markdown(name)}**: {safe.markdown(reason)}" for name, reason in _reasons(tasks)]
    return [*lines, "", *reasons]


def show(console: Console, results: Results) -> None:
    """Print the verdict as a table on a terminal."""
    tasks = _tasks(results)
    if not tasks:
        return
    say(console, headline(results, ""), f"bold {_COLOURS[_verdict(results)]}")
    console.print()
    rows: list[list[Cell | str]] = []
    for name, task in tasks.items():
        cells: list[Cell | str] = list(_cells(name, task))
        cells[1] = Cell(str(cells[1]), _COLOURS[str(task.verdict)])
        rows.append(cells)
    draw(console, Table(_COLUMNS, rows))
    for name, reason in _reasons(tasks):
        say(console, f"{name}: {reason}", indent=2)


def _verdict(results: Results) -> str:
    return str(results.early_stopping.verdict) if results.early_stopping else ""


def _tasks(results: Results) -> Mapping[str, EarlyTask]:
    early = results.early_stopping
    return early.tasks if early is not None and early.verdict else {}


def _reasons(tasks: Mapping[str, EarlyTask]) -> list[tuple[str, str]]:
    return [(name, reason) for name, task in tasks.items() for reason in task.reasons or ()]


def _counts(task: EarlyTask, verdict: str) -> bool:
    return task.tier != "advisory" if verdict == "regression" else task.tier == "critical"


def _cells(name: str, task: EarlyTask) -> Sequence[str]:
    points = all(value is None or 0 <= value <= 1 for value in (task.baseline, task.candidate))
    ends = [None if bound is None else bound.get("value") for bound in (task.lower, task.upper)]
    if not task.higher_is_better:
        # The bounds are positive if the candidate is better, but the difference has the sign of the figures.
        ends = [None if end is None else -end for end in reversed(ends)]
    drop = task.max_drop
    return [
        name,
        _WORDS[str(task.verdict)] + ("" if task.tier == "critical" else f" ({task.tier})"),
        str(task.metric) + ("" if task.higher_is_better else " ↓"),
        f"{task.n:,} of {task.of:,}",
        _signed(task.delta, points),
        " to ".join(_signed(end, points) for end in ends),
        f"−{drop * 100:.2f}" if points and not isinstance(drop, str) else f"−{drop}",
    ]


def _signed(value: float | None, points: bool) -> str:
    if value is None:
        return "?"
    return f"{value * 100:+.2f}" if points else f"{value:+.4g}"
