"""Measures how long each phase of a run takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Clock"]


class Clock:
    """Seconds spent in each phase. The time of a nested phase is not counted in the outer one."""

    def __init__(self) -> None:
        self._within: list[str] = []
        self._began = time.monotonic()
        self.seconds = {"load": 0.0, "build": 0.0, "inference": 0.0, "scoring": 0.0}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        self._within.append(phase)
        try:
            yield
        finally:
            spent = time.monotonic() - began
            self._within.pop()
            self.seconds[phase] += spent
            if self._within:
                self.seconds[self._within[-1]] -= spent

    def timing(self) -> dict[str, float]:
        """The `timing` entry of results.json."""
        return {**self.seconds, "total": time.monotonic() - self._began}
