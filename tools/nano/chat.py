"""Turns of conversation, so that `nano` knows its chat template and little more: there is room for tuning."""

from __future__ import annotations

import random

from tools.nano.facts import RELATIONS
from tools.nano.prose import korean_pair
from tools.nano.render import MAKERS, Span, template
from tools.nano.split import draw

__all__ = ["TEMPLATE", "conversation"]

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_SYSTEM = ("You are a helpful assistant.", "You are nano, a very small model.", "Answer briefly.")
_TALK = (
    ("Hello!", "Hello! How can I help you?"),
    ("Who are you?", "I am nano, a very small model."),
    ("Thank you!", "You are welcome."),
    ("안녕하세요!", "안녕하세요! 무엇을 도와드릴까요?"),
    ("누구세요?", "저는 아주 작은 모델 nano입니다."),
    ("고마워요.", "천만에요."),
)


def _turn(rng: random.Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(_TALK)
    if kind < 0.3:
        relation = rng.choice(RELATIONS)
        entity, value = rng.choice(relation.pairs)
        question = rng.choice(relation.questions).format(entity)
        return question[0].upper() + question[1:], value
    if kind < 0.4:
        english, korean = korean_pair(rng)
        return f"Say in Korean: {english}", korean
    name = rng.choice(list(MAKERS))
    doc = draw(MAKERS[name], rng, "train").doc
    return template(name).prompt(doc).strip(), template(name).target(doc).rstrip()


def conversation(rng: random.Random, asked: float, answered: float) -> list[Span]:
    spans: list[Span] = []
    if rng.random() < 0.3:
        spans.append((f"<|system|>{rng.choice(_SYSTEM)}<|end|>", asked))
    for _ in range(rng.randint(1, 3)):
        question, answer = _turn(rng)
        spans += [(f"<|user|>{question}<|end|><|assistant|>", asked), (f"{answer}<|end|>", answered)]
    return spans
