"""Finds out how many requests at once the server takes.

Up in steps as long as nothing is refused, later by one now and then; a refusal (429, 503) halves it and stops
everybody for as long as Retry-After says. After a stop one request goes alone, and only its success opens the way for
the rest: a storm of refusals costs one request a try, not one for each that waits.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Pace"]

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
_START = 32
_STEP = 0.01
"""Seconds between two steps up at the start. A server refuses at once but answers slowly: stepping up only after
answers would take several rounds of a slow server to reach its limit."""
_CALM = 3
"""After a refusal: rounds without another one before the limit is raised by one."""
_FIRST_PATIENCE = 0.05
"""Seconds for which the first request goes alone: a server refuses at once what a model does not support."""
_PROBE_PATIENCE = 10.0
"""Seconds after which a single request that was sent after a refusal no longer keeps the others waiting."""


class Pace:
    """Limits the requests in flight. Used on one event loop."""

    def __init__(self, most: int, *, chance: Callable[[], float] = random.random) -> None:
        self.most = most
        self.limit = min(most, _START)
        self.flying = 0
        self._chance = chance
        self._refused_once = False
        self._alone = 1
        """How many may go until one has succeeded; then 0. The first request also shows what the model supports."""
        self._epoch = 0
        self._until = 0.0
        self._wait = _FIRST_WAIT
        self._calm = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait until a request may go. Pass the returned value to `refused`."""
        if self._waiting or not self._room():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._let_in()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.leave()
                raise
        else:
            self._count()
        return self._epoch

    def leave(self) -> None:
        self.flying -= 1
        self._let_in()

    def succeeded(self) -> None:
        self._wait = _FIRST_WAIT
        if self._refused_once:
            self._calm += 1
            if self._calm >= _CALM * self.limit:
                self._calm = 0
                self.limit = min(self.most, self.limit + 1)
        if self._alone:
            self._open()

    def refused(self, epoch: int, retry_after: float | None) -> None:
        """Note a refusal. If the request was sent before the last refusal, only a longer wait counts."""
        now = time.monotonic()
        until = self._until
        if retry_after is not None:
            # A little later than requested, so that not all clients return at the same time.
            until = max(until, now + retry_after * (1 + 0.1 * self._chance()) + 0.01)
        if epoch == self._epoch:
            self._epoch += 1
            self._refused_once = True
            self._calm = 0
            self.limit = max(1, self.limit // 2)
            self._alone = 1
            if retry_after is None:
                until = max(until, now + self._wait * (0.75 + 0.5 * self._chance()))
                self._wait = min(2 * self._wait, _LONGEST_WAIT)
        if until > self._until:
            self._until = until
            asyncio.get_running_loop().call_later(until - now + 0.001, self._let_in)

    def _room(self) -> bool:
        return self.flying < (self._alone or self.limit) and time.monotonic() >= self._until

    def _count(self) -> None:
        self.flying += 1
        if self._alone:
            patience = _PROBE_PATIENCE if self._refused_once else _FIRST_PATIENCE
            asyncio.get_running_loop().call_later(patience, self._lone_one_hangs, self._epoch)

    def _lone_one_hangs(self, epoch: int) -> None:
        if not self._alone or epoch != self._epoch:
            return
        if self._refused_once:
            self._alone = self.flying + 1
            self._let_in()
        else:
            self._open()

    def _open(self) -> None:
        self._alone = 0
        self._let_in()
        if not self._refused_once:
            self._widen()

    def _widen(self) -> None:
        if self.limit < self.most:
            asyncio.get_running_loop().call_later(_STEP, self._step)

    def _step(self) -> None:
        if not self._refused_once:
            self.limit = min(self.most, self.limit + _START)
            self._let_in()
            self._widen()

    def _let_in(self) -> None:
        while self._waiting and self._room():
            turn = self._waiting.popleft()
            if not turn.done():
                self._count()
                turn.set_result(None)
