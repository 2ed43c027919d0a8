"""Reads the log-probabilities that servers send, and refuses impossible values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.types import JsonObject

__all__ = ["BadLogprob", "TopLogprobs", "is_greedy", "logprob", "read_logprobs"]

TopLogprobs = tuple[tuple[tuple[str, float], ...], ...]

_ROUNDING = 1e-4
"""How far above 0 a log-probability may be because of rounding (servers compute in half precision)."""


class BadLogprob(ValueError):
    """A value that is not a log-probability."""


def logprob(value: Any) -> float:
    """The value as a float. Raises BadLogprob if it is not a number, not finite, or above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLogprob(f"the server sent a log-probability of {str(value)[:40]!r}, which is not a number")
    number = _as_float(value)
    if not -math.inf < number <= _ROUNDING:
        raise BadLogprob(f"the server sent a log-probability of {number:g}, which no probability has")
    return number


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON knows numbers of any length
        return math.inf if value > 0 else -math.inf


def read_logprobs(logprobs: Any) -> TopLogprobs | None:
    """For each generated token: itself, then its most likely alternatives. None if the server sent none."""
    if not isinstance(logprobs, Mapping):
        return None
    content = logprobs.get("content")
    if isinstance(content, list):
        return tuple(_position(entry) for entry in content if isinstance(entry, Mapping)) or None
    tokens, tops, own = (logprobs.get(key) for key in ("tokens", "top_logprobs", "token_logprobs"))
    if isinstance(tokens, list) and isinstance(tops, list) and isinstance(own, list):
        return (
            tuple(
                ((str(token), logprob(p)), *_alternatives(top, str(token)))
                for token, p, top in zip(tokens, own, tops, strict=False)
                if p is not None
            )
            or None
        )
    return None


def is_greedy(own: Sequence[Any], tops: Sequence[Any], start: int, end: int) -> bool:
    """Whether each token from `start` to `end` was the most likely one at its position. May raise BadLogprob."""
    if len(tops) < end:
        return False
    greedy = True
    for at in range(start, end):
        top = tops[at] if isinstance(tops[at], Mapping) else {}
        likeliest = max((logprob(value) for value in top.values() if value not in (None, -math.inf)), default=-math.inf)
        greedy = greedy and own[at] >= likeliest - 1e-9
    return greedy


def _alternatives(top: Any, chosen: str) -> list[tuple[str, float]]:
    pairs = top.items() if isinstance(top, Mapping) else ()
    # A token with probability 0 (−∞) is no alternative.
    return [(str(token), logprob(value)) for token, value in pairs if token != chosen and value != -math.inf]


def _position(entry: JsonObject) -> tuple[tuple[str, float], ...]:
    chosen = (_token(entry), logprob(entry.get("logprob")))
    listed = entry.get("top_logprobs")
    others = [
        (_token(top), logprob(top["logprob"]))
        for top in (listed if isinstance(listed, list) else ())
        if isinstance(top, Mapping) and top.get("logprob") not in (None, -math.inf)
    ]
    return (chosen, *(pair for pair in others if pair[0] != chosen[0]))


def _token(entry: JsonObject) -> str:
    """The token's text, from its bytes if the token is a part of a character."""
    given = entry.get("bytes")
    if isinstance(given, list) and given and "\\x" in str(entry.get("token", "")):
        try:
            return bytes(given).decode("utf-8", "replace")
        except (ValueError, TypeError):
            pass
    return str(entry.get("token", ""))
