"""A bound on the time of work that Python cannot be asked to stop, such as a regular expression of a stranger's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["TooSlow", "at_most"]


class TooSlow(Exception):
    """The work took longer than it may."""


@contextmanager
def at_most(seconds: float, what: str) -> Iterator[None]:
    """Raise TooSlow, which names `what`, where the work inside takes longer.

    In the main thread alone, and where there are signals: a search of `re` can be ended by nothing else. The handler
    and the timer that were set before are put back.
    """
    before = signal.getsignal(signal.SIGALRM) if hasattr(signal, "setitimer") else None
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise TooSlow(f"{what} took more than {seconds:g} s")

    started = time.monotonic()
    signal.signal(signal.SIGALRM, ring)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 0.001), every)
