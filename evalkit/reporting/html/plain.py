"""Verdicts and tables as plain rows, which the page shows in browsers without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.reporting import comparison_view, gate_view, leaderboard_view
from evalkit.reporting.overview import Overview
from evalkit.reporting.views import View

__all__ = ["PlainTable", "plain_tables"]


@dataclass(frozen=True)
class PlainTable:
    """A table with a title, a sentence above it and notes below it."""

    title: str
    lead: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def plain_tables(content: Overview) -> list[PlainTable]:
    """The verdict or the comparison of each run, then the leaderboard."""
    tables = [table for view in content.views if (table := _of_view(view)) is not None]
    head, rows = leaderboard_view.grid(content.board)
    board = PlainTable("Leaderboard", leaderboard_view.about(content.board), head, rows, content.board.notes)
    return [*tables, board]


def _of_view(view: View) -> PlainTable | None:
    title = f"{view.run.label} ({view.run.run_id}) against {view.baseline.label} ({view.baseline.run_id})"
    if view.gate is not None:
        head, rows = gate_view.grid(view.gate)
        reasons = [f"{task.name}: {reason}" for task in view.gate.tasks for reason in task.reasons]
        return PlainTable(title, gate_view.headline(view.gate), head, rows, [*reasons, *view.warnings])
    if view.against is not None:
        head, rows = comparison_view.grid(view.against)
        return PlainTable(title, f"No verdict: {view.gate_reason}", head, rows, view.warnings)
    return None
