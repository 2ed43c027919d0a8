"""Between the caller's thread, which pulls work and yields answers, and the event loop's, which talks to the server."""

from __future__ import annotations

import asyncio
import queue
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from evalkit.engines.openai.pace import Pace
from evalkit.errors import EvalkitError
from evalkit.types import Answer, Failed, Work

__all__ = ["Flight"]

Serve = Callable[[Work, Pace], Awaitable[list[Answer]]]

_GATHER = 0.003
"""Seconds in which answers gather before they are handed on. Work for twice the concurrency waits meanwhile."""


class Flight:
    """Items on their way, and the answers that have come back. Lives on the caller's thread, works on the loop's."""

    def __init__(
        self, serve: Serve, most: int, loop: asyncio.AbstractEventLoop, watch: Callable[[], Awaitable[EvalkitError]]
    ) -> None:
        """`watch` runs beside the requests; the error that it returns stops them all."""
        self.failure: EvalkitError | None = None
        self.open = 0
        self._ask = serve
        self._loop = loop
        self._pace = Pace(most)
        self._back: queue.SimpleQueue[tuple[list[Answer], EvalkitError | None]] = queue.SimpleQueue()
        self._waiting: deque[Work] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = False
        self._watch = asyncio.run_coroutine_threadsafe(self._stop_when_told(watch), loop)

    def add(self, item: Work) -> None:
        self.open += 1
        self._waiting.append(item)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._take)

    def ready(self, wait: bool, timeout: float | None) -> Iterator[Answer]:
        """What has come back, all of it; the first is waited for."""
        try:
            answers, failure = self._back.get(block=wait, timeout=timeout)
        except queue.Empty:
            return
        # Two threads that wake each other for every answer cost a busy machine more than the answers do.
        time.sleep(_GATHER)
        while True:
            self.open -= 1
            self.failure = self.failure or failure
            yield from answers
            try:
                answers, failure = self._back.get_nowait()
            except queue.Empty:
                return

    def abandon(self) -> None:
        """The caller wants no more: what is on its way is dropped."""
        self._watch.cancel()
        if self.open:
            self._loop.call_soon_threadsafe(self._cancel_all)

    async def _stop_when_told(self, watch: Callable[[], Awaitable[EvalkitError]]) -> None:
        error = await watch()
        self.failure = self.failure or error
        self._cancel_all()

    def _cancel_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    def _take(self) -> None:
        self._woken = False
        while self._waiting:
            task = self._loop.create_task(self._serve(self._waiting.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, item: Work) -> None:
        answers: list[Answer] = []
        failure: EvalkitError | None = None
        try:
            if self.failure is None:
                answers = await self._ask(item, self._pace)
        except EvalkitError as error:
            failure = self.failure = self.failure or error
        except Exception as error:
            answers = [Failed(id_, f"unexpected {type(error).__name__}: {error}"[:300]) for id_ in item.ids]
        finally:
            self._back.put((answers, failure))
