"""The token counts that a server reports for a request, if they are plausible."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.types import JsonObject

__all__ = ["TokensUsed", "read_tokens_used"]

_MOST = 10**9
"""The largest plausible count. A larger one is an error of the server."""


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """None: the server reported no count, or an impossible one."""

    prompt: int | None = None
    generated: int | None = None
    cached: int = 0


def read_tokens_used(body: JsonObject) -> TokensUsed:
    """The `usage` of a reply. 0 tokens for a prompt or for a text count as not reported."""
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
