"""evalkit judge run --dry-run: estimates requests, tokens and cost. No judge is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.judging.backends.spec import NamedJudge
from evalkit.judging.items import Item
from evalkit.judging.prompts import judge_messages
from evalkit.judging.rubric import Rubric

__all__ = ["estimate", "estimate_tokens"]


def estimate(rubric: Rubric, judges: Sequence[NamedJudge], items: Sequence[Item], price: str | None) -> dict[str, Any]:
    """Estimate the cost for judges that give log-probabilities; a note says what sampled judgments would add."""
    judged = [item for item in items if item.missing is None]
    orders = 2 if rubric.kind == "pairwise" else 1
    prompt = 0
    for item in judged:
        inputs = dict(item.inputs)
        if rubric.kind == "pairwise":
            inputs["answer_a"], inputs["answer_b"] = inputs.pop("answer"), item.other or ""
        for dimension in rubric.dimensions:
            messages = judge_messages(rubric, dimension, inputs)
            prompt += orders * (8 + sum(estimate_tokens(message.content) for message in messages))
    requests = len(judged) * len(rubric.dimensions) * orders
    generated = requests * rubric.settings.max_tokens
    prices = {judge.typed: judge.price(price) for judge in judges}
    unknown = [name for name, judge_price in prices.items() if judge_price is None]
    costs = [judge_price.of(prompt, generated) for judge_price in prices.values() if judge_price is not None]
    samples = rubric.settings.samples
    return {
        "requests": requests * len(judges),
        "prompt_tokens": prompt * len(judges),
        "generated_tokens": generated * len(judges),
        "usd": None if unknown else sum(costs),
        **({"reason": f"the price of {', '.join(unknown)} is not known here; give price=IN/OUT"} if unknown else {}),
        "prices": {name: None if cost is None else cost.describe() for name, cost in prices.items()},
        "notes": [
            f"{len(items) - len(judged)} of {len(items)} answers are missing and are not judged",
            f"a judge without log-probabilities is sampled: {samples} replies a judgment, up to"
            f" {samples * generated * len(judges)} generated tokens",
            "what the journal holds already is not asked again; tokens are estimated from characters",
        ],
    }


def estimate_tokens(text: str) -> int:
    """Estimate tokens from characters: four Latin characters per token; a Korean or Chinese one counts as three."""
    return (len(text) + 2 * sum(character > "\u2e80" for character in text)) // 4
