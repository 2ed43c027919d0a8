"""Asking: judgments are generators that yield calls; this answers them from the journal, else from the engine.

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
from evalkit.journal import Keyer
from evalkit.types import (
    Answer,
    Failed,
    Finish,
    Generate,
    Generated,
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
"""Seconds. A model that cannot be asked so says it at once."""


@dataclass(frozen=True, slots=True)
class Replies:
    """So many replies to a conversation. `identity` is what determines them: not the marker, which is new each time."""

    identity: Mapping[str, Any]
    messages: Callable[[], tuple[Message, ...]]
    sampling: Sampling
    samples: int = 1


@dataclass(frozen=True, slots=True)
class LabelScores:
    """The log-probability of each continuation after a conversation and what the judge has said so far."""

    identity: Mapping[str, Any]
    messages: Callable[[], tuple[Message, ...]]
    said: str
    continuations: tuple[tuple[int, ...], ...]


Ask = Replies | LabelScores
Asking = Generator[Ask, Sequence[Answer], T]


class Kept(Protocol):
    """What a journal has to do here."""

    def get_json(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Any]]: ...

    def put_json(self, key: bytes, value: Any) -> None: ...

    def flush(self) -> None: ...


@dataclass(slots=True)
class _Open:
    asking: Asking[Any]
    answers: list[Answer | None]
    keys: list[bytes]
    missing: int = 0


@dataclass(slots=True)
class Asker:
    """`encode` turns a conversation and what follows it into ids, for engines that take ids; None for an API."""

    keyer: Keyer
    journal: Kept
    engine: Engine | None
    encode: Callable[[Sequence[Message], str], TokenIds] | None = None
    window: int | None = None
    active: int = 256
    stopped: Callable[[], bool] = lambda: False
    """Whether no more is to be asked; what is on its way is waited for."""
    asked: int = 0
    """Answers that were not in the journal."""
    reused: int = 0
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _queue: deque[Work] = field(default_factory=deque)
    _open: dict[int, tuple[_Open, int]] = field(default_factory=dict)

    def run(self, askings: Iterable[Asking[T]]) -> Iterator[T]:
        """The results, in the order in which they are done."""
        done: deque[T] = deque()
        source = iter(askings)
        # An engine that takes ids has no abilities to find out, and batches what it is given.
        state = {"ended": False, "scouted": self.engine is None or self.encode is not None}
        first_left = math.inf

        def start() -> bool:
            """Take up one more. The first goes alone for a moment, so that others know what it finds out."""
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
                        yield None  # let what the journal knew be taken away
                if self._queue:
                    first_left = min(first_left, time.monotonic())
                    yield self._queue.popleft()
                elif self._open:
                    yield None
                else:
                    return

        if self.engine is None:
            while start():
                while done:
                    yield done.popleft()
            return
        while True:
            # What the journal knows needs no engine.
            while not self._queue and not self._open and start():
                while done:
                    yield done.popleft()
            if not self._queue and not self._open:
                return
            for answer in self.engine.run(feed()):
                state["scouted"] = True
                self._accept(answer, done)
                while done:
                    yield done.popleft()
            while done:
                yield done.popleft()
            if self.stopped():
                return

    # ── inside ───────────────────────────────────────────────────────────────

    def _advance(self, one: _Open, answers: Sequence[Answer] | None, done: deque[Any]) -> None:
        """Go on until a call has to be asked, or the end."""
        while True:
            try:
                ask = next(one.asking) if answers is None else one.asking.send(answers)
            except StopIteration as stop:
                done.append(stop.value)
                return
            one.keys = self._keys(ask)
            one.answers = self._known(one.keys)
            one.missing = sum(answer is None for answer in one.answers)
            self.reused += len(one.keys) - one.missing
            if one.missing:
                refusal = "not in the journal" if self.engine is None else self._enqueue(one, ask)
                if refusal is None:
                    return
                one.answers = [answer or Failed(-1, refusal) for answer in one.answers]
            answers = [answer for answer in one.answers if answer is not None]

    def _keys(self, ask: Ask) -> list[bytes]:
        if isinstance(ask, LabelScores):
            return [self.keyer.of_json([ask.identity, ask.said, list(c)]) for c in ask.continuations]
        s = ask.sampling
        how = [s.max_tokens, list(s.stop), s.temperature, s.seed if s.temperature else None, list(map(list, s.extra))]
        return [self.keyer.of_json([ask.identity, how, sample]) for sample in range(ask.samples)]

    def _known(self, keys: Sequence[bytes]) -> list[Answer | None]:
        kept = dict(self.journal.get_json(keys))
        return [_answer(kept[key]) if key in kept else None for key in keys]

    def _enqueue(self, one: _Open, ask: Ask) -> str | None:
        """Hand in what is not known. A reason where it cannot be asked at all."""
        wanted = [place for place, answer in enumerate(one.answers) if answer is None]
        ids = tuple(next(self._ids) for _ in wanted)
        try:
            messages = ask.messages()
        except ValueError as error:
            return str(error)
        if isinstance(ask, LabelScores):
            assert self.encode is not None
            context = self.encode(messages, ask.said)
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
            self._open[id_] = one, place
        return None

    def _accept(self, answer: Answer, done: deque[Any]) -> None:
        one, place = self._open.pop(answer.id)
        if not isinstance(answer, Failed):
            self.journal.put_json(one.keys[place], _kept(answer))
            self.journal.flush()
            self.asked += 1
        one.answers[place] = answer
        one.missing -= 1
        if not one.missing:
            self._advance(one, [answer for answer in one.answers if answer is not None], done)


def _kept(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Scored):
        return {"logprob": answer.logprob, "greedy": answer.is_greedy}
    assert isinstance(answer, Generated)
    value: dict[str, Any] = {"text": answer.text, "finish": answer.finish, "tokens": answer.tokens}
    if answer.reasoning is not None:
        value["reasoning"] = answer.reasoning
    if answer.top_logprobs is not None:
        value["top"] = answer.top_logprobs
    return value


def _answer(value: Any) -> Answer | None:
    """A kept answer; None where the journal's entry is none, so that it is asked again."""
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
