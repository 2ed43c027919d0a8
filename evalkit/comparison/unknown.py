"""Kinds of trouble with answers that cannot be compared, because one of the two runs does not know them."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.results import Count, Run, TaskResult

__all__ = ["incomparable_flags"]


def incomparable_flags(baseline: Run, candidate: Run | None, leaves: Iterable[str]) -> dict[str, str]:
    """For each kind of trouble (cut, unfinished, unparsed, missing) that is not known of both runs, the reason.

    Two runs of another tool know the same, and what it does not know stands in neither. No candidate: one of evalkit
    that is still to run, and will know all of them.
    """
    tools = (baseline.imported_from, candidate.imported_from if candidate else None)
    if tools[0] is not None and tools[0] == tools[1]:
        return {}
    reasons: dict[str, str] = {}
    for run in (baseline, candidate) if candidate else (baseline,):
        for leaf in leaves:
            task = run.record.results.tasks.get(leaf)
            for kind, count in _counts(task).items() if task else ():
                if count.value is None and count.reason:
                    reasons.setdefault(kind, f"{run.run_id}: {count.reason}")
    if tools[0] != tools[1]:
        names = " and ".join(tool or "evalkit" for tool in tools)
        reasons.setdefault("unfinished", f"{names} tell in their own ways how an answer ended")
    return reasons


def _counts(task: TaskResult) -> dict[str, Count]:
    """The counts that the run states. One that an older run leaves out is in the flags of its score table."""
    entries = {"cut": "truncated_prompts", "unfinished": "unfinished", "unparsed": "unparsed", "missing": "missing"}
    return {kind: getattr(task, entry) for kind, entry in entries.items() if task.states(entry)}
