"""The token counts that a server reports for one request, as far as they can be true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.types import JsonObject

__all__ = ["TokensUsed", "read_tokens_used"]

_MOST = 10**9
"""No request has more tokens than this; a larger count is a mistake of the server's."""


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """None: the server did not say, or said what cannot be true."""

    prompt: int | None = None
    generated: int | None = None
    cached: int = 0


def read_tokens_used(body: JsonObject) -> TokensUsed:
    """The `usage` of a reply. A prompt of no tokens, or a text of none, counts as not reported."""
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return TokensUsed()
    prompt = _count(usage.get("prompt_tokens"))
    generated = _count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    if prompt == 0:
        prompt = None
    if generated == 0 and _has_text(body):
        generated = None
    return TokensUsed(prompt, generated, min(cached or 0, prompt or 0))


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return int(value) if math.isfinite(value) else None


def _has_text(body: JsonObject) -> bool:
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping):
            message = choice.get("message")
            fields = {**message, "role": None} if isinstance(message, Mapping) else {"text": choice.get("text")}
            if any(isinstance(field, str | list) and field for field in fields.values()):
                return True
    return False
