"""How fast a run goes, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Pace", "clock_text"]

_SECONDS = 10.0
_DOCUMENTS = 10
_SHARE = 0.01


class Pace:
    """Counts documents and tokens over time. Documents that were known from before do not count as speed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.start(0)

    def start(self, total: int) -> None:
        """Begin anew, with so many documents to come."""
        self.total = total
        self.done = 0
        self._began = self._now()
        self._at_start = 0
        self._tokens = 0
        self._first: tuple[float, int] | None = None
        """When the first fresh documents came, and how many were done by then: a slow start is not the pace."""

    def known(self) -> None:
        """What was known from before is counted: measure from here."""
        self._began, self._at_start, self._first = self._now(), self.done, None

    def advance(self, documents: int) -> None:
        self.done += documents
        if self._first is None:
            self._first = self._now(), self.done

    def tokens(self, count: int) -> None:
        self._tokens = count

    @property
    def kept(self) -> int:
        """Documents that were known from before."""
        return self._at_start

    @property
    def elapsed(self) -> float:
        return self._now() - self._began

    @property
    def tokens_per_second(self) -> float | None:
        return self._tokens / self.elapsed if self._tokens and self.elapsed > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds to go; None before there is enough to tell: ten seconds, ten documents and one in a hundred."""
        if self._first is None:
            return None
        since, before = self._first
        spent, fresh = self._now() - since, self.done - before
        if spent < _SECONDS or fresh < max(_DOCUMENTS, _SHARE * (self.total - self._at_start)):
            return None
        return spent * (self.total - self.done) / fresh

    def text(self) -> str:
        """`1,204 tokens/s, 1:08 elapsed, about 3:59 left`, as far as it is known."""
        speed, left = self.tokens_per_second, self.left
        parts = [] if speed is None else [f"{speed:,.0f} tokens/s"]
        parts.append(f"{clock_text(self.elapsed)} elapsed")
        if left is not None and self.done < self.total:
            parts.append(f"about {clock_text(left)} left")
        return ", ".join(parts)


def clock_text(seconds: float) -> str:
    """`3:59`, or `1:03:59` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
