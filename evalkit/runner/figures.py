"""Turns rows and figures into the entries of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit import results
from evalkit.registry import Suite, SuiteFigures, Task
from evalkit.types import Figure, Row, Usage

__all__ = ["group_entries", "task_entry", "token_entry", "trouble"]


def task_entry(task: Task, rows: Sequence[Row], metrics: Mapping[str, Figure]) -> dict[str, Any]:
    """The entry of a task: its metrics, and how many documents were scored, cut, unfinished or failed."""
    headline_filter = (task.headline or "").partition(",")[2]
    documents = {row.doc_id for row in rows}
    unscored = _flagged(rows, "missing") | _flagged(rows, "error")
    return {
        "version": task.version,
        "num_fewshot": task.num_fewshot,
        "n": len(documents - unscored),
        "missing": len(_flagged(rows, "missing") | _flagged(rows, "unanswered")),
        "metrics": {name: results.figure(figure) for name, figure in metrics.items()},
        "truncated_prompts": _counted(rows, "cut", "cut_tokens", "whether their prompt was cut"),
        "unfinished": _counted(rows, "unfinished", "finish", "how they ended"),
        "unparsed": len(_flagged([r for r in rows if not headline_filter or r.filter == headline_filter], "unparsed")),
        "errors": len(_flagged(rows, "error")),
        **({"broken_rows": len(task.broken_rows)} if task.broken_rows else {}),
        "headline": task.headline,
        "chance": task.chance,
    }


def group_entries(suite: Suite, tasks: Mapping[str, Mapping[str, Any]], figures: SuiteFigures) -> dict[str, Any]:
    """The entries of all groups, and of the groups that a task's documents fall into."""
    entries: dict[str, Any] = {}
    for name, group in suite.groups.items():
        leaves = [tasks[leaf] for leaf in group.tasks if leaf in tasks]
        shots = {leaf["num_fewshot"] for leaf in leaves}
        entries[name] = {
            "version": group.version,
            "num_fewshot": shots.pop() if len(shots) == 1 else None,
            "n": sum(leaf["n"] for leaf in leaves),
            "missing": sum(leaf["missing"] for leaf in leaves),
            "metrics": {metric: results.figure(figure) for metric, figure in figures.groups.get(name, {}).items()},
            "members": list(group.members),
            "headline": group.headline,
            "chance": group.chance,
        }
    for name, parts in figures.parts.items():
        task = suite.tasks[name]
        for part_name, part in parts.items():
            entries[part_name] = {
                "version": task.version,
                "num_fewshot": task.num_fewshot,
                "n": part.n,
                "missing": part.missing,
                "metrics": {metric: results.figure(figure) for metric, figure in part.figures.items()},
                "members": [],
                "part_of": name,
                "strata": list(part.strata),
                "headline": task.headline,
                "chance": task.chance,
            }
    return entries


def token_entry(usage: Usage | None, *, unique: int, generated: int, alone: bool) -> dict[str, Any]:
    """The tokens of one run. If several runs shared a pass, the tokens computed and cached for each are unknown."""
    if usage is None:
        return {"prompt": 0, "computed": 0, "cached": 0, "unique": 0, "generated": 0}
    if alone:
        counts = {"prompt": usage.prompt, "computed": usage.computed, "cached": usage.cached}
        return {**counts, "unique": unique, "generated": generated}
    reason = f"shared one pass with other adapters: {usage.computed} computed, {usage.cached} cached in all"
    unknown = {"value": None, "reason": reason}
    return {"prompt": unknown, "computed": unknown, "cached": unknown, "unique": unique, "generated": generated}


def trouble(tasks: Mapping[str, Mapping[str, Any]]) -> int:
    """The number of documents that could not be scored."""
    return sum(entry["errors"] for entry in tasks.values())


def _counted(rows: Sequence[Row], flag: str, entry: str, what: str) -> int | dict[str, Any]:
    """How many documents have the flag; unknown if recorded answers lack the entry that the flag is read from."""
    without = {row.doc_id for row in rows if row.sample.get(entry, 0) is None}
    if not without:
        return len(_flagged(rows, flag))
    return results.Count.unknown(f"{len(without)} recorded answers do not say {what}").as_json()


def _flagged(rows: Sequence[Row], flag: str) -> set[int]:
    return {row.doc_id for row in rows if flag in row.flags}
