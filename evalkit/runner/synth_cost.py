"""What a pool will cost at most, before anybody is asked."""

from __future__ import annotations

from typing import Any

from evalkit.engines.spec import choose
from evalkit.runner.judge_cost import estimate_tokens
from evalkit.runner.synthesizing import Generator
from evalkit.synth.making import Order, make

__all__ = ["estimate_pool"]

_KEPT_OF_A_RESPONSE = 3
"""New instructions of one response. The recorded run's 68 gave 101; a chat model's list of eight gives more."""


def estimate_pool(order: Order, generator: Generator) -> dict[str, Any]:
    """Requests, tokens and dollars, from the first prompts as they will be drawn."""
    recipe = order.recipe
    first = next(make(order))
    kept = recipe.prompts_at_once if recipe.whole_tasks else _KEPT_OF_A_RESPONSE
    lists = max(len(first), -(-order.n // kept))
    size = sum(estimate_tokens(ask.prompt) for ask in first) // len(first)
    longest = int(first[0].sampling["max_gen_toks"])
    requests, prompt, generated = lists, lists * size, lists * longest
    if not recipe.whole_tasks:
        requests += 2 * order.n
        prompt += 2 * order.n * size
        generated += order.n * 500
    kind = choose(generator.engine)
    price = kind.price(generator.typed, generator.model_args)
    unknown = {"reason": f"the price of {generator.typed} is not known here; give --model-args price=IN/OUT"}
    return {
        "requests": requests,
        "prompt_tokens": prompt,
        "generated_tokens": generated,
        "usd": None if price is None else price.of(prompt, generated),
        **(unknown if price is None else {}),
        "prices": {generator.typed: None if price is None else price.describe()},
        "notes": [
            "how many prompts it takes depends on how many tasks are new; tokens are estimated from characters",
            "what the journal holds already is not asked again",
        ],
    }
