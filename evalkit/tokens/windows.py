"""Fitting a request into the model's window. A cut takes the context's left edge, never a part of a continuation."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.types import TokenIds

__all__ = ["cut_prompt", "cut_to", "rolling_windows", "room_for", "vllm_window"]

_ALREADY_SCALED = frozenset({"su", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
"""Ways to scale positions with which a config gives the scaled length."""


def cut_to(context: TokenIds, continuation: TokenIds, limit: int) -> tuple[TokenIds, int] | None:
    """The context cut so that both fit in `limit` tokens, and how many fell off; None where there is no room."""
    keep = limit - len(continuation)
    if keep < 1:
        return None
    return cut_prompt(context, keep)


def cut_prompt(prompt: TokenIds, keep: int) -> tuple[TokenIds, int]:
    over = len(prompt) - keep
    return (prompt[over:], over) if over > 0 else (prompt, 0)


def room_for(prompt: int, max_tokens: int, window: int) -> tuple[int, int]:
    """How many prompt tokens may stay, and how many may be generated.

    lm-eval keeps `window − max_tokens` of the prompt and stops with an error where that is nothing. Here such a prompt
    is kept whole where at least half of the window is left, and the generation gets the rest.
    """
    if max_tokens < window:
        return window - max_tokens, max_tokens
    generated = max(window - prompt, window // 2, 1)
    return max(window - generated, 1), generated


def rolling_windows(tokens: TokenIds, prefix: int, width: int) -> Iterator[tuple[TokenIds, TokenIds]]:
    """(context, continuation) pairs that score every token once, each window as full as it can be.

    The first window begins with `prefix`; each later one predicts `width` tokens after one token of context, and the
    last reaches back so that it is full too.
    """
    if not tokens:
        return
    first = min(width, len(tokens))
    yield array("i", [prefix]), tokens[:first]
    done = first
    while done < len(tokens):
        end = min(done + width, len(tokens))
        yield tokens[max(end - width - 1, 0) : done], tokens[done:end]
        done = end


def vllm_window(config: Any, window: int) -> int:
    """What vLLM makes of a config's length: it scales positions where the config says so, and starts LongRoPE with
    the shorter of its two lengths."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if "gemma3" in str(getattr(config, "model_type", "")):
        return window
    # One for all layers, or one for each kind of layer.
    scalings = [given] if {"rope_type", "type"} & set(given) else [s for s in given.values() if isinstance(s, Mapping)]
    factor = 1.0
    for scaling in scalings:
        kind = scaling.get("rope_type") or scaling.get("type")
        if kind == "longrope":
            return int(getattr(config, "original_max_position_embeddings", None) or window)
        if kind not in _ALREADY_SCALED:
            factor = scaling.get("factor") or factor
    return int(window * factor)
