"""Picks tasks and documents for a given time per checkpoint: as much as can be shown in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import UsageError
from evalkit.results import Run
from evalkit.stats import smallest_detectable_drop

__all__ = ["Choice", "TaskCost", "choose", "measure", "parse_seconds", "seconds_text"]

_LEAST = 30
"""Documents of a task below which nothing is shown."""
_PROBED = 16
_DISCORDANT = 0.1
"""The share of documents that two checkpoints answer differently, where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class TaskCost:
    name: str
    sizes: tuple[int, ...]
    """Documents of each member; of a task that is no group, its own."""
    seconds: float
    """For one document."""

    def documents(self, limit: int) -> int:
        return sum(min(limit, size) for size in self.sizes)

    @property
    def least(self) -> int:
        """The smallest limit that asks enough documents."""
        limit = max(math.ceil(_LEAST / len(self.sizes)), 1)
        while self.documents(limit) < min(_LEAST, sum(self.sizes)):
            limit += 1
        return limit


@dataclass(frozen=True, slots=True)
class Choice:
    tasks: tuple[str, ...]
    limit: int | None
    """Documents of each task, and of each member of a group; None: all of them."""
    seconds: float
    """What a checkpoint takes by the measured speed."""
    documents: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    def shows(self, name: str) -> float | None:
        """The smallest drop that would be found in four cases of five."""
        return smallest_detectable_drop(self.documents[name], _DISCORDANT)

    @property
    def text(self) -> str:
        """What was chosen, in a line."""
        parts = []
        for name, count in self.documents.items():
            drop = self.shows(name)
            parts.append(f"{name} {count:,} documents" + ("" if drop is None else f" (shows a drop of {drop:.1%})"))
        left = f"; left out: {', '.join(self.left_out)}" if self.left_out else ""
        return f"about {seconds_text(self.seconds)} for each checkpoint: {', '.join(parts)}{left}"


def choose(costs: Sequence[TaskCost], budget: float, fixed: float = 0.0) -> Choice:
    """Every task gets the same number of documents, which shows most on the task that shows least.

    Where not even a small number of each fits, the task that needs the longest for it is left out. `fixed`: seconds
    that go by whatever is asked, for loading.
    """
    kept = list(costs)
    left: list[str] = []
    while kept:
        limit = _largest(kept, budget - fixed)
        if limit is not None:
            whole = all(limit >= size for cost in kept for size in cost.sizes)
            documents = {cost.name: cost.documents(limit) for cost in kept}
            seconds = fixed + _time(kept, limit)
            return Choice(tuple(documents), None if whole else limit, seconds, documents, tuple(left))
        dearest = max(kept, key=lambda cost: cost.seconds * cost.documents(cost.least))
        kept.remove(dearest)
        left.append(dearest.name)
    cheapest = min(fixed + cost.seconds * cost.documents(cost.least) for cost in costs)
    raise UsageError(
        f"--budget {seconds_text(budget)} is too little: loading takes {seconds_text(fixed)}, and {_LEAST} documents of"
        f" the quickest task {seconds_text(cheapest)} in all"
    )


def measure(sizes: Mapping[str, Sequence[int]], evaluate: Callable[[str, int], Run]) -> tuple[list[TaskCost], float]:
    """Ask each task for a few documents. Returns what a document of each costs, and the seconds of loading.

    `evaluate` is given a task and a limit. Its answers stay in the journal, so that they are not asked again.
    """
    costs, fixed = [], 0.0
    for name, of_members in sizes.items():
        limit = max(math.ceil(_PROBED / len(of_members)), 1)
        run = evaluate(name, limit)
        timing = run.record.results.timing
        asked = sum(min(limit, size) for size in of_members)
        work = (timing.inference or 0.0) + (timing.scoring or 0.0)
        costs.append(TaskCost(name, tuple(of_members), max(work / max(asked, 1), 1e-6)))
        fixed = max(fixed, (timing.total or 0.0) - work)
    return costs, fixed


def parse_seconds(text: str) -> float:
    """Seconds of `5m`, `90s`, `1.5h` or a number of seconds."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise UsageError(f"--budget {text[:40]}: a time is wanted, as 90s, 5m or 1h")
    return seconds


def seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _largest(costs: Sequence[TaskCost], seconds: float) -> int | None:
    """The largest limit that fits; None: not even the least does."""
    low, high = max(cost.least for cost in costs), max(size for cost in costs for size in cost.sizes)
    low = min(low, high)
    if _time(costs, low) > seconds:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _time(costs, middle) <= seconds else (low, middle - 1)
    return low


def _time(costs: Sequence[TaskCost], limit: int) -> float:
    return sum(cost.seconds * cost.documents(limit) for cost in costs)
