"""Fitting a request into the model's window. A cut takes the context's left edge, never a part of a continuation."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from evalkit.types import TokenIds

__all__ = ["cut_prompt", "cut_to", "rolling_windows", "room_for"]


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
