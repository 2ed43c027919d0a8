"""The JSON schema of a sampled reply, for servers that can force a model to follow one.

It is not used where log-probabilities are read, since the judge writes a bare label there. It is not used either if the
labels covered too little probability: a judge that would not rate must not be forced to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from evalkit.judging.scale import Scale
from evalkit.types import JsonObject

__all__ = ["response_format", "structured"]

_MOST_LABELS = 100


def response_format(scale: Scale, form: str) -> JsonObject:
    """An object with the score, after the analysis if the rubric wants one. The score may be null."""
    score: dict[str, object] = {"type": ["string", "null"], "enum": [*scale, None]}
    if scale.numeric:
        whole = all(value.is_integer() for value in scale.labels.values())
        score = {"type": ["integer" if whole else "number", "null"]}
        if len(scale.labels) <= _MOST_LABELS:
            score["enum"] = [int(value) if whole else value for value in scale.labels.values()] + [None]
        else:
            score |= {"minimum": scale.low, "maximum": scale.high}
    properties = {"analysis": {"type": "string"}, "score": score} if form == "analyse" else {"score": score}
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "judgment", "strict": True, "schema": schema}}


def structured(replies: Iterable[str]) -> int:
    """How many of the replies have the form that was asked for."""
    return sum(map(_has_form, replies))


def _has_form(reply: str) -> bool:
    try:
        content = json.loads(reply)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "score" in content
