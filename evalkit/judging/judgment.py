"""Makes one judgment: asks the judge and turns its replies into a score, or into the reason why there is none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.judging.calls import Asking, LabelScores, Replies
from evalkit.judging.items import Item
from evalkit.judging.logprobs import Distribution, from_path, from_sequences
from evalkit.judging.prompts import PROMPT_VERSION, SCORE_LINE, judge_messages
from evalkit.judging.replies import Reading, read_reply
from evalkit.judging.rubric import Dimension, Rubric
from evalkit.judging.schema import response_format, structured
from evalkit.judging.spelling import token_of
from evalkit.types import Failed, Generated, Message, Sampling, Scored

__all__ = ["Judge", "Judgment", "judge_item"]

_ROOM_TO_THINK = 8192
"""Tokens for a judge that reasons before it replies: what it thinks counts against its limit."""
_ROOM_FOR_FORM = 16
"""Tokens for what stands around a score in JSON."""


@dataclass(slots=True)
class Judge:
    """A judge, and what is known of how it can be asked."""

    name: str
    """As it was typed: openai:gpt-4o-mini."""
    fingerprint: str
    labels: Any = None
    """scale → {ids: label}, for an engine that takes ids; None for an API."""
    special: tuple[str, ...] = ()
    gives_logprobs: bool | None = None
    """None until a reply has shown it."""
    max_tokens: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Judgment:
    """The score of one item in one dimension, or the reason why there is none, and how it came about."""

    item: Item
    dimension: str
    score: float | None
    reason: str | None = None
    """Why there is no score."""
    method: str | None = None
    """`logprobs`, or `samples` and why."""
    covered: float | None = None
    entropy: float | None = None
    masses: Mapping[str, float] = field(default_factory=dict)
    responses: tuple[str, ...] = ()
    parsed: tuple[float, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
    orders: tuple[Judgment, ...] = ()
    """Of a comparison, its two judgments: our answer shown first, and second."""

    @property
    def consistent(self) -> bool | None:
        """Whether both orders name the same winner."""
        if len(self.orders) != 2 or any(order.score is None for order in self.orders):
            return None
        first, second = (order.score or 0.0 for order in self.orders)
        return (first > 0.5) == (second > 0.5) and (first < 0.5) == (second < 0.5)


def judge_item(judge: Judge, rubric: Rubric, dimension: Dimension, item: Item) -> Asking[Judgment]:
    """A generator that yields requests, takes their answers, and returns the judgment."""
    if item.missing is not None:
        return Judgment(item, dimension.name, None, item.missing)
        yield  # makes this function a generator
    if rubric.kind == "pairwise":
        return (yield from _compare(judge, rubric, dimension, item))
    return (yield from _judge(judge, rubric, dimension, item, item.inputs))


def _compare(judge: Judge, rubric: Rubric, dimension: Dimension, item: Item) -> Asking[Judgment]:
    """Judge a pair in both orders. The score is the preference for our answer, from 0 to 1, averaged over them."""
    rest = {name: text for name, text in item.inputs.items() if name != "answer"}
    ours, theirs = item.answer, item.other or ""
    if ours == theirs:
        return Judgment(item, dimension.name, 0.5, method="same text")
    shown_first = yield from _judge(judge, rubric, dimension, item, {**rest, "answer_a": ours, "answer_b": theirs})
    turned = yield from _judge(judge, rubric, dimension, item, {**rest, "answer_a": theirs, "answer_b": ours})
    if turned.score is not None:
        turned = replace(turned, score=dimension.scale.low + dimension.scale.high - turned.score)
    orders = shown_first, turned
    scores = [order.score for order in orders if order.score is not None]
    if len(scores) < 2:
        reason = next(order.reason for order in orders if order.score is None)
        return Judgment(item, dimension.name, None, f"one order has no verdict: {reason}", orders=orders)
    methods = dict.fromkeys(order.method or "" for order in orders)
    covered = [order.covered for order in orders if order.covered is not None]
    return Judgment(
        item,
        dimension.name,
        math.fsum(scores) / 2,
        method="; ".join(methods),
        covered=min(covered) if covered else None,
        responses=tuple(text for order in orders for text in order.responses),
        orders=orders,
    )


def _judge(
    judge: Judge, rubric: Rubric, dimension: Dimension, item: Item, inputs: Mapping[str, str]
) -> Asking[Judgment]:
    identity = {
        "rubric": rubric.hash,
        "dimension": dimension.name,
        "inputs": dict(inputs),
        "prompt": PROMPT_VERSION,
    }

    def messages() -> tuple[Message, ...]:
        return judge_messages(rubric, dimension, inputs, judge.special)

    head = Judgment(item, dimension.name, None)
    if judge.labels is not None:
        distribution, why, replies = yield from _from_labels(judge, rubric, dimension, identity, messages)
    elif judge.gives_logprobs is not False:
        distribution, why, replies = yield from _from_reply(judge, rubric, dimension, identity, messages)
    else:
        distribution, why, replies = None, "no log-probabilities", ()
    if isinstance(why, _NoAnswer):
        return replace(head, reason=why.reason, responses=replies)
    if distribution is not None:
        head = replace(head, covered=distribution.covered, entropy=distribution.entropy, masses=distribution.masses)
        if distribution.score is not None and distribution.covered >= rubric.settings.min_mass:
            return replace(head, score=distribution.score, method="logprobs", responses=replies)
        why = f"the labels cover {distribution.covered:.3f} of the probability"
    # A judge whose log-probabilities show that it would write no label is not made to write one.
    structured_output = judge.gives_logprobs is False and distribution is None
    return (
        yield from _from_samples(
            judge, rubric, dimension, identity, messages, head, str(why), replies, structured_output
        )
    )


@dataclass(frozen=True, slots=True)
class _NoAnswer:
    """There is no answer, and sampling would not give one either."""

    reason: str


_Look = tuple[Distribution | None, "str | _NoAnswer | None", tuple[str, ...]]


def _from_reply(judge: Judge, rubric: Rubric, dimension: Dimension, identity: Any, messages: Any) -> Asking[_Look]:
    """Ask for one greedy reply with the alternatives of each token."""
    settings = rubric.settings
    while True:
        limit = judge.max_tokens or settings.max_tokens
        sampling = Sampling(limit, extra=(("top_logprobs", settings.top_logprobs),))
        (reply,) = yield Replies({**identity, "step": "greedy"}, messages, sampling)
        if isinstance(reply, Generated) and _needs_room(reply, limit):
            judge.max_tokens = _ROOM_TO_THINK
            continue
        break
    if not isinstance(reply, Generated):
        return None, _NoAnswer(reply.reason if isinstance(reply, Failed) else "no reply"), ()
    reading = _read(reply, dimension, rubric)
    if not reply.top_logprobs:
        # Some servers send none with a refusal, so a refusal does not show whether other replies have them.
        if judge.gives_logprobs is None and reading.reason != "refusal":
            judge.gives_logprobs = False
        return None, "no log-probabilities", (reply.text,)
    judge.gives_logprobs = True
    if reading.value is None and rubric.form == "analyse":
        return None, f"the reply has no verdict ({reading.reason})", (reply.text,)
    tokens = [position[0][0] if position else "" for position in reply.top_logprobs]
    start = token_of(tokens, reply.text, 0 if reading.value is None else reading.start)
    if start is None:
        return None, "the log-probabilities belong to another text", (reply.text,)
    return from_path(reply.top_logprobs, dimension.scale, start), None, (reply.text,)


def _from_labels(judge: Judge, rubric: Rubric, dimension: Dimension, identity: Any, messages: Any) -> Asking[_Look]:
    """Ask for the log-probability of each label's ids, after the judge's analysis if the rubric wants one."""
    analysis = ""
    replies: tuple[str, ...] = ()
    if rubric.form == "analyse":
        line = SCORE_LINE.get(rubric.language["instructions"], SCORE_LINE["en"])
        sampling = Sampling(judge.max_tokens or rubric.settings.max_tokens, stop=(f"\n{line}",))
        (reply,) = yield Replies({**identity, "step": "analysis"}, messages, sampling)
        if not isinstance(reply, Generated):
            return None, _NoAnswer(reply.reason if isinstance(reply, Failed) else "no reply"), ()
        if reply.finish != "stop":
            return None, _NoAnswer("cut" if reply.finish == "length" else "unfinished"), (reply.text,)
        analysis, replies = f"{reply.text.rstrip()}\n{line}", (reply.text,)
    sequences: Mapping[tuple[int, ...], str] = judge.labels(dimension.scale)
    answers = yield LabelScores({**identity, "step": "labels"}, messages, analysis, tuple(sequences))
    failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
    if failed is not None:
        return None, _NoAnswer(failed.reason), replies
    scored = {
        ids: (label, answer.logprob)
        for (ids, label), answer in zip(sequences.items(), answers, strict=True)
        if isinstance(answer, Scored)
    }
    return from_sequences(scored, dimension.scale), None, replies


def _from_samples(
    judge: Judge,
    rubric: Rubric,
    dimension: Dimension,
    identity: Any,
    messages: Any,
    head: Judgment,
    why: str,
    earlier: tuple[str, ...],
    structured_output: bool,
) -> Asking[Judgment]:
    """Sample replies and take the mean of those that can be read. The others are counted, not taken for low scores.

    `structured_output`: ask for JSON of a schema, which a server that does not know it refuses or ignores.
    """
    settings = rubric.settings
    form = (("response_format", response_format(dimension.scale, rubric.form)),) if structured_output else ()
    while True:
        limit = judge.max_tokens or settings.max_tokens + (_ROOM_FOR_FORM if structured_output else 0)
        sampling = Sampling(limit, temperature=settings.temperature, seed=judge.seed, extra=form)
        samples = settings.samples if settings.temperature > 0 else 1
        answers = yield Replies({**identity, "step": "samples"}, messages, sampling, samples)
        replies = [answer for answer in answers if isinstance(answer, Generated)]
        if replies and all(_needs_room(reply, limit) for reply in replies):
            judge.max_tokens = _ROOM_TO_THINK
            continue
        break
    readings = [_read(reply, dimension, rubric) for reply in replies]
    values = tuple(reading.value for reading in readings if reading.value is not None)
    unread = Counter(reading.reason or "" for reading in readings if reading.value is None)
    unread.update(answer.reason for answer in answers if isinstance(answer, Failed))
    in_form = structured(reply.text for reply in replies) if structured_output else 0
    if in_form:
        why += "; structured output" + ("" if in_form == len(replies) else f" in {in_form} of {len(replies)}")
    method = f"samples ({len(answers)}; {why})"
    responses = tuple(reply.text for reply in replies) or earlier
    judgment = replace(head, method=method, responses=responses, parsed=values, unread=dict(unread))
    if not values:
        return replace(judgment, reason=unread.most_common(1)[0][0] if unread else "no reply")
    return replace(judgment, score=math.fsum(values) / len(values))


def _read(reply: Generated, dimension: Dimension, rubric: Rubric) -> Reading:
    if reply.finish == "unfinished":
        return Reading(None, "unfinished")
    reading = read_reply(reply.text, dimension.scale, dimension.name)
    if reply.finish == "length" and (
        reading.value is None or rubric.form == "analyse" or _at_the_end(reading, reply.text)
    ):
        return Reading(None, "cut")
    return reading


def _at_the_end(reading: Reading, text: str) -> bool:
    """Whether a number ends the reply, so that the token limit may have cut it."""
    return bool(reading.start >= 0 and text[reading.start :].strip("0123456789.") == "" and len(text.split()) > 1)


def _needs_room(reply: Generated, limit: int) -> bool:
    return reply.finish in ("length", "unfinished") and not reply.text.strip() and limit < _ROOM_TO_THINK
