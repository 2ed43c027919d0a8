"""A language model that is prompted with the rubric: the judge of the kinds `served` and `local`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evalkit.engines.base import Engine, notify_through
from evalkit.errors import UsageError
from evalkit.journal import Journal, Keyer
from evalkit.judging.backends.spec import SEMANTICS, JudgeOptions, OpenJudge, judge_forms
from evalkit.judging.calls import Asker
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge, Judgment, judge_item
from evalkit.judging.rubric import Rubric
from evalkit.types import JsonObject, Message, TokenIds

__all__ = ["ACTIVE", "ChatJudge", "asker_of", "chat_judge"]

ACTIVE = 256
"""Judgments in progress at once. An API needs more judgments than concurrent requests, so that no slot is idle."""


@dataclass(frozen=True, slots=True)
class ChatJudge:
    judge: Judge
    asker: Asker

    @property
    def asked(self) -> int:
        return self.asker.asked

    @property
    def reused(self) -> int:
        return self.asker.reused

    @property
    def description(self) -> JsonObject:
        engine = self.asker.engine
        return {"name": "journal"} if engine is None else dict(engine.description)

    def judge_items(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[Judgment]:
        return self.asker.run(
            judge_item(self.judge, rubric, dimension, item) for item in items for dimension in rubric.dimensions
        )

    def close(self) -> None:
        if self.asker.engine is not None:
            self.asker.engine.close()


def chat_judge(
    judge: Judge,
    journal: Journal,
    engine: Engine | None,
    options: JudgeOptions,
    encode: Callable[[Sequence[Message], str], TokenIds] | None = None,
    window: int | None = None,
    active: int = ACTIVE,
) -> ChatJudge:
    """`engine` is None where only answers in the journal are used; `encode` makes ids for an engine that takes them."""
    if engine is not None:
        notify_through(engine, options.note)
    keyer = Keyer(judge.fingerprint, SEMANTICS)
    return ChatJudge(judge, Asker(keyer, journal, engine, encode, window, active, options.stopped))


def asker_of(opened: OpenJudge) -> Asker:
    """The sender of a judge's requests, for prompts without a rubric. UsageError where the judge writes no text."""
    if not isinstance(opened, ChatJudge):
        raise UsageError(f"--judge {opened.judge.name}: this judge writes no text; {judge_forms()} may")
    return opened.asker
