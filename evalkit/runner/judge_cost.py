"""--dry-run: how many requests, how many tokens and how much money a judge would take. Nothing is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.engines.openai_prices import price_of
from evalkit.judging.items import Item
from evalkit.judging.prompts import judge_messages
from evalkit.judging.rubric import Rubric
from evalkit.runner.judges import JudgeSpec

__all__ = ["estimate"]


def estimate(rubric: Rubric, judges: Sequence[JudgeSpec], items: Sequence[Item], price: str | None) -> dict[str, Any]:
    """With log-probabilities; without them every judgment is sampled, which the note says."""
    asked = [item for item in items if item.missing is None]
    orders = 2 if rubric.kind == "pairwise" else 1
    characters = 0
    for item in asked:
        inputs = dict(item.inputs)
        if rubric.kind == "pairwise":
            inputs["answer_a"], inputs["answer_b"] = inputs.pop("answer"), item.other or ""
        for dimension in rubric.dimensions:
            messages = judge_messages(rubric, dimension, inputs)
            characters += orders * sum(_weight(message.content) for message in messages)
    requests = len(asked) * len(rubric.dimensions) * orders
    prompt, generated = characters // 4 + 8 * requests, requests * rubric.settings.max_tokens
    usd: float | None = 0.0
    for judge in judges:
        if judge.kind != "openai":
            continue
        known = price_of(judge.model, judge.url or "https://api.openai.com/v1", price)
        usd = None if known is None or usd is None else usd + known.of(prompt, generated)
    samples = rubric.settings.samples
    return {
        "requests": requests * len(judges),
        "prompt_tokens": prompt * len(judges),
        "generated_tokens": generated * len(judges),
        "usd": usd,
        "notes": [
            f"{len(items) - len(asked)} of {len(items)} answers are missing and are not judged",
            f"a judge without log-probabilities is sampled: {samples} replies a judgment, up to"
            f" {samples * generated * len(judges)} generated tokens",
            "what the journal holds already is not asked again; tokens are estimated from characters",
        ],
    }


def _weight(text: str) -> int:
    """Characters by what they cost in tokens: a Korean or Chinese one counts about as much as three Latin ones."""
    return sum(3 if ord(character) > 0x2E80 else 1 for character in text)
