"""What a server that can hold a model to a form is asked to hold a sampled reply to.

Never where log-probabilities are read: there the judge writes a bare label, whose alternatives are the score. And never
after them, when the labels covered too little: a judge that would not rate must not be made to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from evalkit.judging.scale import Scale

__all__ = ["response_format", "structured"]

_MOST_LABELS = 100


def response_format(scale: Scale, form: str) -> dict[str, Any]:
    """An object with the score, after the analysis where the rubric wants one. Null is there for not being able to."""
    score: dict[str, Any] = {"type": ["string", "null"], "enum": [*scale, None]}
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
