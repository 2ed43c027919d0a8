"""How many documents of each part a run asks, so that a drop of a stated size would be found with a stated power."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalkit import results
from evalkit.config import RunConfig
from evalkit.errors import EvalkitError
from evalkit.gating import plan_tasks
from evalkit.registry import Sized, Suite
from evalkit.runner.listener import Listener
from evalkit.stats import documents_needed

__all__ = ["size"]

_DISCORDANCE = 0.1
"""How often two runs differ on a document, where neither the task file nor a baseline says it."""


@dataclass(frozen=True, slots=True)
class _Need:
    documents: int | None
    """None: no number of documents finds the drop."""
    discordance: float
    seen: bool
    """Whether the discordance is the baseline's own."""


def size(config: RunConfig, suite: Suite, listener: Listener) -> None:
    """Keep as few documents as needed of the suites that say so, or of every task where --drop is given."""
    baseline = None if config.sized_by is None else results.find(config.sized_by, config.output_path)
    for name in suite.requested:
        group = suite.groups.get(name)
        stated = group.sized if group is not None else None
        if stated is None and config.drop is None:
            continue
        parts = group.members if group is not None and stated is not None else (name,)
        wanted = stated or Sized()
        wanted = Sized(config.drop or wanted.drop, config.power or wanted.power, wanted.discordance or _DISCORDANCE)
        remarks = []
        for part in parts:
            need = _need(part, wanted, baseline)
            remarks.append(_keep(suite, part, need))
        listener.note(
            f"{name}: sized to find a drop of {wanted.drop:g} in {wanted.power:.0%} of cases: {', '.join(remarks)}"
        )
        if baseline is None:
            listener.note(
                f"{name}: sized by a discordance of {wanted.discordance:g}, which is stated and not seen;"
                " --sized-by RUN takes a baseline's own"
            )


def _need(part: str, wanted: Sized, baseline: results.Run | None) -> _Need:
    if baseline is not None:
        try:
            (plan,) = plan_tasks(baseline, tasks=(part,), drop=wanted.drop, power=wanted.power).tasks
        except EvalkitError:  # the baseline lacks it, or has no figure of it
            pass
        else:
            if math.isfinite(plan.discordance):
                return _Need(plan.documents, plan.discordance, seen=True)
    half = (wanted.discordance or _DISCORDANCE) / 2
    lost = min(half + wanted.drop, 1.0)
    needed = documents_needed(lost, min(half, 1 - lost), tolerance=0.0, power=wanted.power, side="regression")
    return _Need(needed, wanted.discordance or _DISCORDANCE, seen=False)


def _keep(suite: Suite, part: str, need: _Need) -> str:
    """Keep the part's documents, from each of its tasks its share; returns what to say of it."""
    leaves = [suite.tasks[leaf] for leaf in suite.leaves(part)]
    have = sum(task.size for task in leaves)
    if need.documents is None or need.documents > have:
        for task in leaves:
            task.keep = max(task.size, task.keep or 0)
        needed = "more than there are" if need.documents is None else f"{need.documents:,}"
        return f"{part} all {have:,}, of {needed} needed"
    kept = 0
    for task in leaves:
        task.keep = max(min(task.size, math.ceil(need.documents * task.size / have)), task.keep or 0)
        kept += task.keep
    return f"{part} {kept:,} of {have:,}" + (f" (discordance {need.discordance:.3g} seen)" if need.seen else "")
