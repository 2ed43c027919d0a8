"""Estimates what a checkpoint costs before a watch starts."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit import results
from evalkit.training.budget import seconds_text

__all__ = ["cost_before"]


def cost_before(earlier: Sequence[results.Run], baseline: results.Run | None, tasks: Sequence[str]) -> str:
    """What a checkpoint will take, by those before it or by the baseline; or that it is not known."""
    totals = [seconds for run in earlier if (seconds := run.record.results.timing.total)]
    if totals:
        return f"about {seconds_text(sum(totals) / len(totals))} for each checkpoint, as the {len(totals)} before took"
    if baseline is not None and set(baseline.requested) >= set(tasks):
        seconds = baseline.record.results.timing.total
        if seconds and baseline.record.results.tokens.computed.value:
            whose = "tasks" if set(baseline.requested) == set(tasks) else "tasks and more"
            return f"about {seconds_text(seconds)} for each checkpoint, as the baseline took for these {whose}"
    return "what a checkpoint costs is not known yet: nothing was timed here; the first one says"
