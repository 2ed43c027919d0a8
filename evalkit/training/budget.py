"""Picks tasks and documents for a given time per checkpoint, so that the smallest possible drop can be detected."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.errors import UsageError
from evalkit.results import Run
from evalkit.stats import smallest_detectable_drop
from evalkit.training.pace import Discordance

__all__ = ["Choice", "TaskCost", "TooLittle", "choose", "measure", "parse_seconds", "seconds_text"]

_LEAST = 30
"""A task with fewer documents is left out: no drop of a usual size could be detected."""
_PROBED = 16
_DISCORDANT = 0.1
"""The share of documents that two checkpoints answer differently, where no two earlier runs show it."""


class TooLittle(UsageError):
    """Not even a few documents of the quickest task fit the time."""


@dataclass(frozen=True, slots=True)
class TaskCost:
    name: str
    sizes: tuple[int, ...]
    """Documents of each member; of a task that is no group, its own."""
    seconds: float
    """For one document."""
    timed_by: str | None = None
    """The earlier run that the speed is from; None: a probe."""
    discordance: Discordance | None = None

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
    timed_by: Mapping[str, str | None] = field(default_factory=dict)
    """The earlier run that a task's speed is from; None: a probe."""
    discordances: Mapping[str, Discordance] = field(default_factory=dict)

    def shows(self, name: str) -> float | None:
        """The smallest drop that would be found in four cases of five."""
        seen = self.discordances.get(name)
        return smallest_detectable_drop(self.documents[name], _DISCORDANT if seen is None else seen.share)

    @property
    def text(self) -> str:
        """What was chosen, in a line."""
        parts = []
        for name, count in self.documents.items():
            drop = self.shows(name)
            parts.append(f"{name} {count:,} documents" + ("" if drop is None else f" (shows a drop of {drop:.1%})"))
        left = f"; left out: {', '.join(self.left_out)}" if self.left_out else ""
        by = f"; {self._speeds}; {self._changes}"
        return f"about {seconds_text(self.seconds)} for each checkpoint: {', '.join(parts)}{left}{by}"

    @property
    def _speeds(self) -> str:
        probed = [name for name in self.documents if self.timed_by.get(name) is None]
        runs = _grouped((name, run) for name in self.documents if (run := self.timed_by.get(name)) is not None)
        speeds = [f"{', '.join(names)} as in {run}" for run, names in runs.items()]
        speeds += (
            [f"{', '.join(probed)} by {_PROBED} documents or more asked of the first checkpoint"] if probed else []
        )
        return f"speed of {'; of '.join(speeds)}"

    @property
    def _changes(self) -> str:
        assumed = [name for name in self.documents if name not in self.discordances]
        changes = [
            f"{self.discordances[name].share:.1%} of {name} changed between {' and '.join(seen.between)}"
            for name in self.documents
            if (seen := self.discordances.get(name)) is not None
        ]
        changes += [f"{_DISCORDANT:.0%} of {', '.join(assumed)} assumed to change"] if assumed else []
        return "; ".join(changes)


def choose(costs: Sequence[TaskCost], budget: float, fixed: float = 0.0, *, typed: str = "--budget") -> Choice:
    """Choose a limit for all tasks: the largest that fits the time.

    Where not even a small number of each fits, the task that takes the longest is left out. `fixed`: the seconds that
    do not depend on the documents, for loading. `typed`: what the time is called where it was asked for.
    """
    kept = list(costs)
    left: list[str] = []
    while kept:
        limit = _largest(kept, budget - fixed)
        if limit is not None:
            whole = all(limit >= size for cost in kept for size in cost.sizes)
            documents = {cost.name: cost.documents(limit) for cost in kept}
            seconds = fixed + _time(kept, limit)
            return Choice(
                tasks=tuple(documents),
                limit=None if whole else limit,
                seconds=seconds,
                documents=documents,
                left_out=tuple(left),
                timed_by={cost.name: cost.timed_by for cost in kept},
                discordances={cost.name: cost.discordance for cost in kept if cost.discordance is not None},
            )
        dearest = max(kept, key=lambda cost: cost.seconds * cost.documents(cost.least))
        kept.remove(dearest)
        left.append(dearest.name)
    cheapest = min(fixed + cost.seconds * cost.documents(cost.least) for cost in costs)
    raise TooLittle(
        f"{typed} {seconds_text(budget)} is too little: loading takes {seconds_text(fixed)}, and {_LEAST} documents of"
        f" the quickest task {seconds_text(cheapest)} in all"
    )


def measure(sizes: Sequence[int], evaluate: Callable[[int], Run]) -> tuple[float, float]:
    """Ask a task for a few documents. Returns the seconds of one, and those of loading.

    `evaluate` is given a limit. Its answers stay in the journal, so that they are not asked again.
    """
    limit = max(math.ceil(_PROBED / len(sizes)), 1)
    timing = evaluate(limit).record.results.timing
    asked = sum(min(limit, size) for size in sizes)
    work = (timing.inference or 0.0) + (timing.scoring or 0.0)
    return max(work / max(asked, 1), 1e-6), max((timing.total or 0.0) - work, 0.0)


def parse_seconds(text: str, *, typed: str = "--budget") -> float:
    """Seconds of `5m`, `90s`, `1.5h` or a number of seconds. `typed`: what the time is called in an error."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise UsageError(f"{typed} {text[:40]}: a time is wanted, as 90s, 5m or 1h")
    return seconds


def seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, run in pairs:
        groups.setdefault(run, []).append(name)
    return groups


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
