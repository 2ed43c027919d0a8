"""Decides which run of a sweep gets a free slot, that is, a place for one replica. Pure: no clock, no process."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Active", "Slots"]


@dataclass(slots=True)
class Active:
    """A run that has begun."""

    name: str
    replicas: int = 1
    left: float = math.inf
    """Seconds that one replica would still need."""


class Slots:
    """Hands out slots: to a run that has not begun first, else to the run with the most work left.

    A run keeps its slots until it ends. A further replica is worth its slot only if it is loaded before the others are
    done.
    """

    def __init__(self, count: int, names: Iterable[str]) -> None:
        self.count = count
        self.free = count
        self.active: dict[str, Active] = {}
        self._waiting = deque(names)

    @property
    def waiting(self) -> int:
        """Runs that have not begun."""
        return len(self._waiting)

    @property
    def upcoming(self) -> str | None:
        """The run that begins next."""
        return self._waiting[0] if self._waiting else None

    def next(self, load: float) -> Active | None:
        """The run that gets the next slot; None if no slot is free, or none is worth it. `load`: seconds to load."""
        if not self.free:
            return None
        if self._waiting:
            run = Active(self._waiting.popleft())
            self.active[run.name] = run
        else:
            worth = [run for run in self.active.values() if pays(run, load)]
            if not worth:
                return None
            run = max(worth, key=lambda run: (_seconds_left(run), -run.replicas))
            run.replicas += 1
        self.free -= 1
        return run

    def end(self, name: str) -> None:
        """The run has ended: its slots are free."""
        self.free += self.active.pop(name).replicas

    def drop_waiting(self) -> None:
        """No further run begins."""
        self._waiting.clear()


def pays(run: Active, load: float) -> bool:
    """Whether one more replica ends the run earlier: it must be loaded before the others are done."""
    return _seconds_left(run) > load


def _seconds_left(run: Active) -> float:
    return run.left / run.replicas
