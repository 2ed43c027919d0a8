"""An engine of canned answers that behaves as a real one, for tests of the rooms around engines.

An answer depends on the request's content alone, so order, batching and resuming cannot change it. Options make what
can go wrong with a real engine: requests that fail, an engine that dies, answers that take time.
"""

from __future__ import annotations

import hashlib
import struct
import time
from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from evalkit.engines.base import Engine
from evalkit.engines.spec import EngineSettings, EngineSpec
from evalkit.errors import EngineError
from evalkit.types import (
    Adapter,
    Answer,
    Failed,
    Generate,
    Generated,
    JsonObject,
    ModelSpec,
    Score,
    Scored,
    TokenIds,
    Usage,
    Work,
)

__all__ = ["SPEC", "MockEngine", "load"]


class MockEngine:
    """Deterministic answers. `sent` lists every id that was handed in, in order."""

    name = "mock"

    def __init__(
        self,
        *,
        adapters: Collection[str] = (),
        fail_ids: Collection[int] = (),
        die_after: int | None = None,
        delay: float = 0.0,
        window: int = 8,
        texts: Mapping[int, str] | None = None,
        logprobs: Mapping[int, float] | None = None,
    ) -> None:
        """`die_after` answers, EngineError is raised; `window` items are in flight at once, answered newest first."""
        self.usage = Usage()
        self.sent: list[int] = []
        self.closed = False
        self.resting = False
        self._adapters = frozenset(adapters)
        self._fail_ids = frozenset(fail_ids)
        self._die_after = die_after
        self._delay = delay
        self._window = max(1, window)
        self._texts = texts or {}
        self._logprobs = logprobs or {}

    @property
    def description(self) -> JsonObject:
        return {"name": self.name, "dtype": None, "scoring_path": "mock"}

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        self.resting = False
        flight: deque[Work] = deque()
        answered = 0
        ended = False
        while not ended or flight:
            idle = False
            while not ended and not idle and len(flight) < self._window:
                item = next(work, _END)
                if isinstance(item, _End):
                    ended = True
                elif item is None:
                    idle = True
                else:
                    self.resting = False
                    self.sent += item.ids
                    flight.append(item)
            if not flight:
                if idle:
                    self.resting = True
                    time.sleep(0.001)
                continue
            for answer in self._answer(flight.pop()):
                if self._die_after is not None and answered >= self._die_after:
                    raise EngineError(f"the mock engine was told to die after {self._die_after} answers")
                if self._delay:
                    time.sleep(self._delay)
                answered += 1
                yield answer

    def close(self) -> None:
        self.closed = True

    def _answer(self, item: Work) -> Iterator[Answer]:
        if item.adapter is not None and item.adapter not in self._adapters:
            yield from (Failed(id, f"no adapter named {item.adapter!r} was loaded") for id in item.ids)
            return
        if isinstance(item, Score):
            prompt, parts = item.context, item.continuations
            yield from map(self._score, item.ids, [item] * len(parts), parts)
            read = len(prompt) + sum(len(part) - 1 for part in parts)
        else:
            yield from map(self._generate, item.ids, [item] * len(item.ids), item.samples)
            read = len(item.prompt)
        self.usage.prompt += read
        self.usage.computed += read

    def _score(self, id: int, item: Score, continuation: TokenIds) -> Answer:
        if id in self._fail_ids:
            return Failed(id, "the mock engine was told to fail this request")
        draws = _draws(item.adapter, item.context, continuation, 0)
        return Scored(id, self._logprobs.get(id, -10.0 * draws[0] - 0.01), draws[1] < 0.25)

    def _generate(self, id: int, item: Generate, sample: int) -> Answer:
        if id in self._fail_ids:
            return Failed(id, "the mock engine was told to fail this request")
        draws = _draws(item.adapter, item.prompt, str(item.text), sample if item.sampling.temperature else 0)
        text = self._texts.get(id, f"The answer is {int(draws[0] * 1000)}.")
        tokens = max(1, len(text.split()))
        self.usage.generated += tokens
        return Generated(id, text, "stop" if draws[1] < 0.9 else "length", tokens)


class _End:
    pass


_END = _End()


def _draws(*parts: str | int | TokenIds | None) -> tuple[float, float]:
    """Two numbers in [0, 1) that depend on nothing but `parts`."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, array) else repr(part).encode())
        digest.update(b"\0")
    first, second = struct.unpack("<II", digest.digest())
    return first / 2**32, second / 2**32


def load(spec: ModelSpec, tokenizer: Any = None, adapters: Sequence[Adapter] = (), **options: Any) -> MockEngine:
    return MockEngine(adapters=[adapter.name for adapter in adapters], **{**spec.args, **options})


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    return load(model, tokenizer, adapters)


SPEC = EngineSpec(
    name="mock",
    title="canned answers",
    semantics="mock/1",
    start=_start,
    start_needs_tokenizer=False,
)
"""No entry point names it, so that --engine does not offer it."""
