"""evalkit run --dry-run: estimates the requests, tokens and cost of a run. Tasks are built; no model is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.price import Price
from evalkit.registry import Document
from evalkit.runner.finding import find
from evalkit.runner.judge_cost import estimate_tokens
from evalkit.runner.listener import Listener
from evalkit.runner.materials import Materials
from evalkit.runner.preparing import prepare
from evalkit.tokens.sampling import sampling_of
from evalkit.types import Message, Prompt

__all__ = ["estimate_run"]

_AROUND = 8
"""Tokens that a chat format adds around a prompt: roles and separators."""


def estimate_run(config: RunConfig, listener: Listener) -> dict[str, Any]:
    """Estimate the requests, tokens and cost of a run, in all and by task."""
    tasks: dict[str, dict[str, int]] = {}
    prices: dict[str, Price | None] = {}
    total = {"requests": 0, "prompt_tokens": 0, "generated_tokens": 0}
    costs: list[float] = []
    follows = 0
    for typed in config.model:
        materials = Materials()
        setup = find(config, typed, listener, materials)
        prepared = prepare(config, setup, results.new_run_id(), listener, materials)
        price = prepared.kind.price(typed, config.model_args)
        prices[typed] = price
        variants = len(prepared.variants)
        for name, (_, documents) in prepared.documents.items():
            counts = _of_task(documents)
            follows += sum(request.follows is not None for document in documents for request in document.requests)
            tasks[name] = counts
            for key in total:
                total[key] += variants * counts[key]
            if price is not None:
                costs.append(variants * price.of(counts["prompt_tokens"], counts["generated_tokens"]))
    unknown = [name for name, cost in prices.items() if cost is None]
    notes = ["what the journal holds already is not asked again; tokens are estimated from characters"]
    if follows:
        notes.append(f"{follows} turns follow from earlier answers, whose length is not known: not among the prompts")
    return {
        **total,
        "tasks": tasks,
        "usd": None if unknown else sum(costs),
        **({"reason": f"the price of {', '.join(unknown)} is not known here; give price=IN/OUT"} if unknown else {}),
        "prices": {name: None if cost is None else cost.describe() for name, cost in prices.items()},
        "notes": notes,
    }


def _of_task(documents: Iterable[Document]) -> dict[str, int]:
    """Requests and tokens of a task. Continuations of one context count as one request; so do samples of one prompt."""
    requests = prompt = generated = 0
    for document in documents:
        contexts: set[Prompt] = set()
        for request in document.requests:
            context = estimate_tokens(_text(request.context)) + _AROUND
            if request.kind == "generate":
                requests += 1
                prompt += context
                generated += request.repeats * sampling_of(request.gen_kwargs, None).max_tokens
            else:
                requests += request.context not in contexts
                contexts.add(request.context)
                prompt += context + estimate_tokens(request.continuation)
                generated += 1
    return {"requests": requests, "prompt_tokens": prompt, "generated_tokens": generated}


def _text(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        return prompt
    return "\n".join(message.content for message in prompt if isinstance(message, Message))
