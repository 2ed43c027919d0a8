"""Answers the requests of judgments from the journal, else from the engine. Judgments are generators that yield them.

One stream feeds the engine for all of them, so that a judgment which needs another look (samples, the other order)
holds up nobody. Every answer is on the disk before the next one is read: a killed run pays for nothing twice.
"""

from __future__ import annotations

import itertools
import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, get_args

from evalkit.engines.base import Engine
from evalkit.engines.streaming import Stream
from evalkit.errors import EngineError
from evalkit.journal import Keyer
from evalkit.types import (
    Answer,
    Failed,
    Finish,
    Generate,
    Generated,
    JsonObject,
    Message,
    Prompt,
    Sampling,
    Score,
    Scored,
    TokenIds,
    Work,
)

__all__ = ["Ask", "Asker", "Asking", "Kept", "LabelScores", "Replies"]

T = TypeVar("T")
_FINISHES: Mapping[str, Finish] = {finish: finish for finish in get_args(Finish)}

_SCOUT_PATIENCE = 0.05
"""Seconds that the first judgment goes alone. A server that refuses a kind of request does so at once."""


@dataclass(frozen=True, slots=True)
class Replies:
    """A request for replies to a conversation. `identity` holds what determines them, without the random marker."""

    identity: JsonObject
    messages: Callable[[], tuple[Message, ...]]
    sampling: Sampling
    samples: int = 1


@dataclass(frozen=True, slots=True)
class LabelScores:
    """A request for the log-probability of each continuation after a conversation and the beginning of a reply."""

    identity: JsonObject
    messages: Callable[[], tuple[Message, ...]]
    reply_start: str
    continuations: tuple[tuple[int, ...], ...]


Ask = Replies | LabelScores
Asking = Generator[Ask, Sequence[Answer], T]


class Kept(Protocol):
    """The part of the journal that judging uses."""

    def get_json(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Any]]: ...

    def put_json(self, key: bytes, value: Any) -> None: ...

    def flush(self) -> None: ...


@dataclass(slots=True)
class _Open:
    """A judgment in progress, with the answers to its latest request."""

    asking: Asking[Any]
    answers: list[Answer | None]
    keys: list[bytes]
    missing: int = 0


@dataclass(slots=True)
class Asker:
    """Sends the requests of judgments to an engine, many at a time, and keeps the answers in the journal.

    `encode` makes token ids of a conversation and the beginning of a reply; None for a server, which takes text.
    """

    keyer: Keyer
    journal: Kept
    engine: Engine | None
    encode: Callable[[Sequence[Message], str], TokenIds] | None = None
    window: int | None = None
    active: int = 256
    stopped: Callable[[], bool] = lambda: False
    """Whether to send no more requests. Those in progress are finished."""
    asked: int = 0
    """Answers that were not in the journal."""
    reused: int = 0
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _queue: deque[Work] = field(default_factory=deque)
    _open: dict[int, tuple[_Open, int]] = field(default_factory=dict)

    def run(self, askings: Iterable[Asking[T]]) -> Iterator[T]:
        """Yield the results, in the order in which they are finished."""
        done: deque[T] = deque()
        source = iter(askings)
        # An engine that takes ids batches what it gets; a server's abilities must be found out by a first request.
        state = {"ended": False, "scouted": self.engine is None or self.encode is not None}
        first_left = math.inf

        def start() -> bool:
            """Start one more judgment. The first goes alone for a moment, to show the others what the server can do."""
            if state["ended"] or len(self._open) >= self.active:
                return False
            if self._open and not state["scouted"]:
                if time.monotonic() < first_left + _SCOUT_PATIENCE:
                    return False
                state["scouted"] = True
            asking = next(source, None)
            if asking is None:
                state["ended"] = True
                return False
            self._advance(_Open(asking, [], []), None, done)
            return True

        def feed() -> Iterator[Work | None]:
            nonlocal first_left
            while not self.stopped():
                while not self._queue and start():
                    if len(done) > 64:
                        yield None  # let the caller take the results that came from the journal
                if self._queue:
                    first_left = min(first_left, time.monotonic())
                    yield self._queue.popleft()
                elif self._open and stream.resting:
                    raise EngineError(
                        f"the judge ended without {len(self._open)} of its answers; the same command asks again"
                    )
                elif self._open:
                    yield None
                else:
                    return

        if self.engine is None:
            while start():
                while done:
                    yield done.popleft()
            return
        stream = Stream(self.engine)
        while True:
            # Answers in the journal need no engine.
            while not self._queue and not self._open and start():
                while done:
                    yield done.popleft()
            if not self._queue and not self._open:
                return
            for answer in stream.run(feed()):
                state["scouted"] = True
                self._accept(answer, done)
                while done:
                    yield done.popleft()
            while done:
                yield done.popleft()
            if self.stopped():
                return

    # ── inside ───────────────────────────────────────────────────────────────

    def _advance(self, judgment: _Open, answers: Sequence[Answer] | None, done: deque[Any]) -> None:
        """Continue a judgment until it needs an answer that is not in the journal, or has finished."""
        while True:
            try:
                ask = next(judgment.asking) if answers is None else judgment.asking.send(answers)
            except StopIteration as stop:
                done.append(stop.value)
                return
            judgment.keys = self._keys(ask)
            judgment.answers = self._kept_answers(judgment.keys)
            judgment.missing = sum(answer is None for answer in judgment.answers)
            self.reused += len(judgment.keys) - judgment.missing
            if judgment.missing:
                refusal = "not in the journal" if self.engine is None else self._enqueue(judgment, ask)
                if refusal is None:
                    return
                judgment.answers = [answer or Failed(-1, refusal) for answer in judgment.answers]
            answers = [answer for answer in judgment.answers if answer is not None]

    def _keys(self, ask: Ask) -> list[bytes]:
        if isinstance(ask, LabelScores):
            return [self.keyer.of_json([ask.identity, ask.reply_start, list(c)]) for c in ask.continuations]
        s = ask.sampling
        how = [s.max_tokens, list(s.stop), s.temperature, s.seed if s.temperature else None, list(map(list, s.extra))]
        return [self.keyer.of_json([ask.identity, how, sample]) for sample in range(ask.samples)]

    def _kept_answers(self, keys: Sequence[bytes]) -> list[Answer | None]:
        kept = dict(self.journal.get_json(keys))
        return [_answer(kept[key]) if key in kept else None for key in keys]

    def _enqueue(self, judgment: _Open, ask: Ask) -> str | None:
        """Queue what the journal does not hold. Returns a reason if it cannot be asked at all."""
        wanted = [place for place, answer in enumerate(judgment.answers) if answer is None]
        ids = tuple(next(self._ids) for _ in wanted)
        try:
            messages = ask.messages()
        except ValueError as error:
            return str(error)
        if isinstance(ask, LabelScores):
            assert self.encode is not None
            context = self.encode(messages, ask.reply_start)
            continuations = [ask.continuations[place] for place in wanted]
            if self.window and len(context) + max(map(len, continuations)) > self.window:
                return f"too long for the judge: {len(context)} tokens, its window is {self.window}"
            self._queue.append(Score(ids, context, tuple(array("i", c) for c in continuations)))
        else:
            prompt: TokenIds = array("i")
            text: Prompt = messages
            if self.encode is not None:
                prompt, text = self.encode(messages, ""), ""
                if self.window and len(prompt) + ask.sampling.max_tokens > self.window:
                    return f"too long for the judge: {len(prompt)} tokens and {ask.sampling.max_tokens} to reply with"
            self._queue.append(Generate(ids, prompt, ask.sampling, tuple(wanted), text))
        for id_, place in zip(ids, wanted, strict=True):
            self._open[id_] = judgment, place
        return None

    def _accept(self, answer: Answer, done: deque[Any]) -> None:
        judgment, place = self._open.pop(answer.id)
        if not isinstance(answer, Failed):
            self.journal.put_json(judgment.keys[place], _kept(answer))
            self.journal.flush()
            self.asked += 1
        judgment.answers[place] = answer
        judgment.missing -= 1
        if not judgment.missing:
            self._advance(judgment, [answer for answer in judgment.answers if answer is not None], done)


def _kept(answer: Answer) -> JsonObject:
    if isinstance(answer, Scored):
        return {"logprob": answer.logprob, "greedy": answer.is_greedy}
    assert isinstance(answer, Generated)
    value: dict[str, object] = {"text": answer.text, "finish": answer.finish, "tokens": answer.tokens}
    if answer.reasoning is not None:
        value["reasoning"] = answer.reasoning
    if answer.top_logprobs is not None:
        value["top"] = answer.top_logprobs
    return value


def _answer(value: Any) -> Answer | None:
    """An answer from the journal; None if the entry is not one, so that it is asked again."""
    try:
        if "logprob" in value:
            return Scored(-1, float(value["logprob"]), bool(value["greedy"]))
        top = value.get("top")
        return Generated(
            -1,
            str(value["text"]),
            _FINISHES[value["finish"]],
            int(value["tokens"]),
            value.get("reasoning"),
            None if top is None else tuple(tuple((str(t), float(p)) for t, p in position) for position in top),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
