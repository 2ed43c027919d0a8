"""Chooses the runs that get a line on the leaderboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from evalkit.results import Run

__all__ = ["choose", "newest_of_each"]

_ADMISSIBLE = ("incomplete", "limited", "partial")
"""Statuses that --include lets in."""


def choose(
    runs: Sequence[Run], named: Sequence[Run], every: bool, statuses: Collection[str]
) -> tuple[list[Run], list[str]]:
    """The newest run of each model and all `named` runs, with notes on the runs left out.

    A named run gets a line even if its model has several; but its status must be admitted like any other's.
    """
    admitted = [run for run in runs if _may_stand(run, statuses)]
    admitted_named = [run for run in named if _may_stand(run, statuses)]
    reasons = Counter(_why_out(run) for run in (*runs, *named) if not _may_stand(run, statuses))
    notes = []
    if reasons:
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        admissible = [reason for reason in sorted(reasons) if reason in _ADMISSIBLE]
        flags = " ".join(f"--include {reason}" for reason in admissible)
        notes.append(f"left out: {listed}{f' ({flags} shows them)' if flags else ''}")
    chosen = admitted if every else newest_of_each(admitted)
    if older := len(admitted) - len(chosen):
        notes.append(f"left out: {older} older runs of models that have a newer one (--all shows them)")
    return [*chosen, *admitted_named], notes


def newest_of_each(runs: Iterable[Run]) -> list[Run]:
    """One run of each model: the newest complete run, or the newest if none is complete."""
    newest: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: (run.status == "complete", run.finished or run.created)):
        newest[_identity(run)] = run
    return list(newest.values())


def _may_stand(run: Run, statuses: Collection[str]) -> bool:
    # A run that stopped early measured a difference: its documents depend on the verdict, so its figures are biased.
    return run.status in statuses and bool(run.finished or "partial" in statuses) and not run.not_run


def _why_out(run: Run) -> str:
    if run.not_run and run.status == "partial":
        return "stopped early"
    return run.status if run.finished else "unfinished"


def _identity(run: Run) -> str:
    """Identifies the model by its source, so that an alias and its hub id are the same; adapters count as models."""
    model, adapter = run.record.manifest.model, run.record.manifest.adapter
    source = model.source or model.typed or run.label
    return f"{source}+{adapter.name}" if adapter and adapter.name else source
