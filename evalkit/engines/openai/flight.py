"""Connects the caller's thread, which pulls work and yields answers, with the event loop's, which sends requests."""

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
"""Seconds for which answers are collected before they are passed on. Meanwhile, twice the concurrency is queued."""


class Flight:
    """The items in flight and their answers. Used from the caller's thread; the requests run on the loop's thread."""

    def __init__(
        self, serve: Serve, most: int, loop: asyncio.AbstractEventLoop, watch: Callable[[], Awaitable[EvalkitError]]
    ) -> None:
        """`watch` runs during the requests. If it returns an error, all requests stop."""
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
        """Wait for an answer, then return all that there are."""
        try:
            answers, failure = self._back.get(block=wait, timeout=timeout)
        except queue.Empty:
            return
        # Waking a thread for every single answer would cost more CPU than the answers.
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
        """Drop the requests in flight, after the caller has stopped reading answers."""
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
