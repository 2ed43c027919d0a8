"""Fits requests into the model's window: contexts are cut on the left, continuations never."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from evalkit.types import TokenIds

__all__ = ["cut_prompt", "cut_to", "rolling_windows", "room_for"]


def cut_to(context: TokenIds, continuation: TokenIds, limit: int) -> tuple[TokenIds, int] | None:
    """The context, cut so that both fit into `limit` tokens, and how many were cut; None if there is no room."""
    keep = limit - len(continuation)
    if keep < 1:
        return None
    return cut_prompt(context, keep)


def cut_prompt(prompt: TokenIds, keep: int) -> tuple[TokenIds, int]:
    """The last `keep` tokens of a prompt, and how many were cut."""
    over = len(prompt) - keep
    return (prompt[over:], over) if over > 0 else (prompt, 0)


def room_for(prompt: int, max_tokens: int, window: int) -> tuple[int, int]:
    """How many prompt tokens to keep, and how many tokens may be generated.

    lm-eval keeps `window − max_tokens` of the prompt, and raises an error if nothing is left. Here, the prompt is kept
    whole in that case if at least half of the window is left, and the generation gets the rest.
    """
    if max_tokens < window:
        return window - max_tokens, max_tokens
    generated = max(window - prompt, window // 2, 1)
    return max(window - generated, 1), generated


def rolling_windows(tokens: TokenIds, prefix: int, width: int) -> Iterator[tuple[TokenIds, TokenIds]]:
    """Yield (context, continuation) pairs that score every token once, with windows as full as possible.

    The first window begins with `prefix`. Each later one predicts `width` tokens after one token of context, and the
    last one gets more context, so that it is full too.
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
