"""Runs an engine so that it is known when it has nothing in flight: an answer that has not come then was lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from evalkit.engines.base import Engine, Rests
from evalkit.types import Answer, Work

__all__ = ["Stream"]

PATIENCE = 30.0
"""Seconds without new work and without an answer after which an engine that does not say that it rests is told that no
more work comes. It has to finish what it has then, however long that takes, and is run again for what comes later."""
_IDLE = 0.001


class Stream:
    """Work in, answers out, through one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._resting = False
        self._last_news = 0.0

    @property
    def resting(self) -> bool:
        """Whether all that was handed in has ended. Answers that are still wanted then will never come."""
        return self.engine.resting if isinstance(self.engine, Rests) else self._resting

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        """As `Engine.run`."""
        if isinstance(self.engine, Rests):
            yield from self.engine.run(work)
            return
        self._resting = False
        for item in work:
            if item is None:
                self._resting = True
                time.sleep(_IDLE)
                continue
            self._resting = False
            for answer in self.engine.run(self._part(item, work)):
                self._last_news = time.monotonic()
                yield answer

    def _part(self, first: Work, work: Iterator[Work | None]) -> Iterator[Work | None]:
        """The work until there has been no news for a while."""
        yield first
        self._last_news = time.monotonic()
        for item in work:
            if item is not None:
                self._last_news = time.monotonic()
            elif time.monotonic() - self._last_news > PATIENCE:
                return
            yield item
