"""Where a run's time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Clock"]


class Clock:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds = {"load": 0.0, "build": 0.0, "inference": 0.0, "scoring": 0.0}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - began

    def timing(self) -> dict[str, float]:
        return {**self.seconds, "total": time.monotonic() - self._began}
