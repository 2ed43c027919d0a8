"""Measures the speed of a run and estimates the time left."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace", "clock_text"]

_SECONDS = 10.0
_DOCUMENTS = 10
_SHARE = 0.01


class Pace:
    """Counts documents and tokens over time. Documents answered from the journal do not count as speed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.replicas: tuple[int, int] | None = None
        """Copies of the model that are at work, and those that are wanted; None for a single engine."""
        self.start(0)

    def start(self, total: int) -> None:
        """Start counting from zero, with `total` documents to come."""
        self.total = total
        self.done = 0
        self._began = self._now()
        self._at_start = 0
        self._tokens = 0
        self._first: tuple[float, int] | None = None
        """The time of the first new documents, and how many were done by then: a slow start would distort the speed."""

    def known(self) -> None:
        """All documents from the journal are counted: measure the speed from here."""
        self._began, self._at_start, self._first = self._now(), self.done, None

    def advance(self, documents: int) -> None:
        self.done += documents
        if self._first is None:
            self._first = self._now(), self.done

    def tokens(self, count: int) -> None:
        self._tokens = count

    @property
    def kept(self) -> int:
        """The number of documents that were answered from the journal."""
        return self._at_start

    @property
    def elapsed(self) -> float:
        return self._now() - self._began

    @property
    def tokens_per_second(self) -> float | None:
        return self._tokens / self.elapsed if self._tokens and self.elapsed > 0 else None

    @property
    def left(self) -> float | None:
        """The estimated seconds left; None before ten seconds, ten documents and one percent of all documents."""
        if self._first is None:
            return None
        since, before = self._first
        spent, fresh = self._now() - since, self.done - before
        if spent < _SECONDS or fresh < max(_DOCUMENTS, _SHARE * (self.total - self._at_start)):
            return None
        return spent * (self.total - self.done) / fresh

    def text(self) -> str:
        """`1,204 tokens/s, 1:08 elapsed, about 3:59 left`, without the parts that are not known yet.

        `3/4 replicas` stands last where several copies of the model answer."""
        speed, left = self.tokens_per_second, self.left
        parts = [] if speed is None else [f"{speed:,.0f} tokens/s"]
        parts.append(f"{clock_text(self.elapsed)} elapsed")
        if left is not None and self.done < self.total:
            parts.append(f"about {clock_text(left)} left")
        if self.replicas is not None:
            parts.append("{}/{} replicas".format(*self.replicas))
        return ", ".join(parts)


def clock_text(seconds: float) -> str:
    """The time as `3:59`, or as `1:03:59` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
