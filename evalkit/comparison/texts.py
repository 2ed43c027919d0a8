"""What a row of samples/ says in words: the question, the prompt, the target, the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalkit.types import JsonObject

__all__ = ["answers", "chosen", "continuations", "logprobs", "prompt", "question", "target", "turns", "words"]

_OWN_WORDS = ("question", "instruction", "input", "query", "ctx", "prompt", "goal", "problem", "sentence", "text")


def question(row: JsonObject) -> str:
    """The document's own words where it has some, else the end of the prompt."""
    doc = row.get("doc")
    if isinstance(doc, Mapping):
        for key in _OWN_WORDS:
            if isinstance(doc.get(key), str) and doc[key].strip():
                return str(doc[key]).strip()
        asked = [turn for turn in _turns(doc.get("messages")) if turn.get("role") == "user"]
        if asked and isinstance(asked[-1].get("content"), str):
            return str(asked[-1]["content"]).strip()
    return prompt(row).strip()[-600:]


def turns(row: JsonObject) -> list[tuple[str, str]]:
    """Who said what before the last answer, where the model answered several times; else empty."""
    if len(_arguments(row)) < 2 or continuations(row):
        return []
    return [(words(turn.get("role", "")), words(turn.get("content", ""))) for turn in _turns(row.get("conversation"))]


def prompt(row: JsonObject) -> str:
    """All that the model read before its answer."""
    arguments = _arguments(row)
    return words(arguments[0][0]) if arguments and arguments[0] else ""


def target(row: JsonObject) -> str:
    stated = row.get("target")
    choices = continuations(row)
    place = int(stated) if isinstance(stated, int | str) and str(stated).isdigit() else None
    if choices and place is not None and place < len(choices):
        return choices[place]
    return "" if stated is None else words(stated)


def answers(row: JsonObject, metric: str = "acc") -> list[str]:
    """What was written, one text a sample, or the choice that was taken: its text says more than its number."""
    responses = _responses(row)
    if not responses:
        return []
    best = chosen(row, metric)
    if best is not None:
        choices = continuations(row)
        return [choices[best] if best < len(choices) else f"choice {best}"]
    return [words(response) for response in responses]


def chosen(row: JsonObject, metric: str = "acc") -> int | None:
    """The likeliest choice; by `acc_norm`, the likeliest per character. None where nothing was chosen from."""
    scores = logprobs(row)
    if not scores:
        return None
    choices = continuations(row)
    if metric.partition(",")[0] == "acc_norm" and len(choices) == len(scores):
        scores = [score / max(1, len(text)) for score, text in zip(scores, choices, strict=True)]
    return max(range(len(scores)), key=scores.__getitem__)


def logprobs(row: JsonObject) -> list[float]:
    """One log-probability for each choice; empty where there was no choice."""
    scores = [_logprob(answer) for answer in _responses(row)]
    known = [score for score in scores if score is not None]
    return known if len(known) == len(scores) > 1 else []


def continuations(row: JsonObject) -> list[str]:
    """The choices as they were scored."""
    texts = [entry[1] for entry in _arguments(row) if len(entry) > 1]
    return [text.strip() for text in texts] if texts and all(isinstance(text, str) for text in texts) else []


def words(value: Any) -> str:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _turns(value: Any) -> list[JsonObject]:
    return [turn for turn in value if isinstance(turn, Mapping)] if isinstance(value, list) else []


def _responses(row: JsonObject) -> list[Any]:
    responses = row.get("resps") or row.get("filtered_resps")
    if not isinstance(responses, list):
        return []
    while len(responses) == 1 and isinstance(responses[0], list):
        responses = responses[0]
    return responses


def _logprob(answer: Any) -> float | None:
    """lm-eval keeps (log-probability, is greedy), alone or in a list, as numbers or as text."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, list) and len(answer) == 2 and not isinstance(answer[0], list):
        try:
            return float(answer[0])
        except (TypeError, ValueError):
            return None
    return None


def _arguments(row: JsonObject) -> list[list[Any]]:
    raw = row.get("arguments")
    if isinstance(raw, Mapping):
        raw = [list(entry.values()) if isinstance(entry, Mapping) else [entry] for entry in raw.values()]
    return [list(entry) for entry in raw if isinstance(entry, list | tuple)] if isinstance(raw, list) else []
