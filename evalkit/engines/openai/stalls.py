"""Notices that a server gives no answers: tells the user after some seconds, and gives up after a stated time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from evalkit.errors import EngineError

__all__ = ["StallWatch"]

_TELL_AFTER = (9.5, 60.0, 300.0)
"""Seconds without an answer after which the user is told, again and again; then every five minutes. The first is below
the ten seconds that are promised by more than one look takes, also on a busy machine."""
_LOOK_EVERY = 0.1


class StallWatch:
    """Counts the time in which requests were waiting and none was answered. Lives on one event loop."""

    def __init__(self, base_url: str, give_up: float, tell: Callable[[str], None]) -> None:
        self._base_url = base_url
        self._give_up = give_up
        self._tell = tell
        self._waiting = 0
        self._since = 0.0
        self._told = 0
        self._trouble = ""

    def began(self) -> None:
        """A request waits for its answer from now on."""
        if self._waiting == 0:
            self._restart()
        self._waiting += 1

    def ended(self) -> None:
        self._waiting -= 1

    def answered(self) -> None:
        """The server answered some request: the time starts again."""
        if self._told:
            self._tell(f"{self._base_url} answers again, after {_duration(self._silent)}")
        self._restart()

    def failed(self, reason: str) -> None:
        """Why the last try had no answer, for the message."""
        self._trouble = reason

    async def watch(self) -> EngineError:
        """Runs beside the requests; returns the error to stop with once the time is up."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if not self._waiting:
                continue
            if self._silent >= self._give_up:
                return EngineError(
                    f"{self._base_url} gave no answer for {_duration(self._silent)} ({self._trouble or 'no reply'});"
                    " everything answered before is kept, and the same command goes on from there."
                    f" To wait longer: give_up={int(2 * self._give_up)}"
                )
            if self._silent >= self._next_notice:
                self._told += 1
                self._tell(
                    f"waiting for {self._base_url} for {_duration(self._silent)}: {self._trouble or 'no reply yet'}"
                    f" ({self._waiting} requests; gives up after {_duration(self._give_up)})"
                )

    @property
    def _silent(self) -> float:
        return time.monotonic() - self._since

    @property
    def _next_notice(self) -> float:
        last = len(_TELL_AFTER) - 1
        return _TELL_AFTER[min(self._told, last)] + max(0, self._told - last) * _TELL_AFTER[last]

    def _restart(self) -> None:
        self._since = time.monotonic()
        self._told = 0
        self._trouble = ""


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes"
