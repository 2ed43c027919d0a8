"""Makes one row per document and filter: lm-eval's logged sample and evalkit's additions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.types import (
    Answer,
    Failed,
    Finish,
    Generated,
    JsonObject,
    Located,
    Message,
    RawDocument,
    RawValues,
    Request,
    Row,
    Scored,
    Verdict,
)

__all__ = [
    "Document",
    "Given",
    "arguments",
    "first_text",
    "found_no_answer",
    "give",
    "make_row",
    "plain",
    "prompt_text",
]


@dataclass(frozen=True, slots=True)
class Document:
    task: str
    doc_id: int
    doc: RawDocument
    requests: tuple[Request, ...]
    target: Any
    doc_hash: str
    prompt_hash: str | None
    target_hash: str
    cluster: str | None = None
    stratum: str | None = None
    error: str | None = None
    """Why its prompt could not be built. Then it has no requests."""


@dataclass(frozen=True, slots=True)
class Given:
    """The answers to a document, as lm-eval's filters take them, or the reason why there are none."""

    responses: list[list[Any]]
    finish: list[Finish]
    missing: bool = False
    error: str | None = None
    located: Located | None = None
    """The place of the first answer in its context, if it is known."""
    reasoning: tuple[str | None, ...] = ()
    """What the model thought before each answer."""
    thinking_tokens: tuple[int | None, ...] = ()
    """How long each thought was, by its share of the characters of the generated text."""

    def ended(self, place: int) -> bool:
        """Whether the answers number `place` to all requests came to their answer: a thought alone is none."""
        width = len(self.responses[0]) if self.responses else 0
        return all(finish != "unfinished" for finish in self.finish[place::width]) if width else True


def give(document: Document, answers: Sequence[Sequence[Answer | None]]) -> Given:
    if document.error is not None:
        return Given([], [], error=document.error)
    given = [answer for group in answers for answer in group]
    failed = next((a for a in given if isinstance(a, Failed)), None)
    if failed is not None:
        return Given([], [], error=failed.reason)
    if len(answers) != len(document.requests) or not all(answers) or any(a is None for a in given):
        return Given([], [], missing=True)
    unreal = next((a for a in given if isinstance(a, Scored) and math.isnan(a.logprob)), None)
    if unreal is not None:
        return Given([], [], error="the log-probability is not a number")
    responses = [
        [_response(request, answer) for answer in group]
        for request, group in zip(document.requests, answers, strict=True)
    ]
    generated = [answer for answer in given if isinstance(answer, Generated)]
    located = next((answer.located for answer in generated), None)
    thinks = any(answer.reasoning is not None for answer in generated)
    return Given(
        responses,
        [answer.finish for answer in generated],
        located=located,
        reasoning=tuple(answer.reasoning for answer in generated) if thinks else (),
        thinking_tokens=tuple(map(_thought_tokens, generated)) if thinks else (),
    )


def _thought_tokens(answer: Generated) -> int | None:
    """None: there is no thought, or it is not recorded how many tokens were generated."""
    if answer.reasoning is None or not answer.tokens:
        return None
    whole = len(answer.reasoning) + len(answer.text)
    return round(answer.tokens * len(answer.reasoning) / whole) if whole else 0


def _response(request: Request, answer: Answer | None) -> Any:
    if isinstance(answer, Generated):
        return answer.text
    assert isinstance(answer, Scored)
    return answer.logprob if request.kind == "rolling" else (answer.logprob, answer.is_greedy)


def prompt_text(context: str | tuple[Message, ...]) -> str:
    """The prompt as one string. Messages are written as in lm-eval's API models."""
    if isinstance(context, str):
        return context
    import json

    return json.dumps([{"role": m.role, "content": m.content} for m in context], ensure_ascii=False)


def arguments(request: Request) -> tuple[Any, ...]:
    """A request's arguments, as in lm-eval's Instance."""
    if request.kind == "rolling":
        return (prompt_text(request.context),)
    if request.kind == "generate":
        return (prompt_text(request.context), dict(request.gen_kwargs))
    return (prompt_text(request.context), request.continuation)


def _as_asked(document: Document, given: Given) -> list[Request]:
    """The requests of later turns, with the earlier answers put into their prompts."""
    known = [str(samples[0]) for samples in given.responses if samples]
    return [
        replace(request, context=request.follows(known[:place]))
        if request.follows is not None and place <= len(known)
        else request
        for place, request in enumerate(document.requests)
    ]


def make_row(
    document: Document,
    given: Given,
    filter_name: str,
    filtered: Sequence[Any],
    metrics: RawValues,
    *,
    unparsed: bool = False,
    error: str | None = None,
    cut_tokens: int = 0,
    code: JsonObject | None = None,
    unanswered: bool = False,
) -> Row:
    values = {name: plain(value) for name, value in metrics.items()}
    flags = {
        "cut": cut_tokens > 0,
        "unfinished": any(reason in ("length", "unfinished") for reason in given.finish),
        "unparsed": unparsed,
        "error": error is not None,
        "missing": given.missing and not unanswered,
        "unanswered": unanswered,
    }
    sample = {
        "doc_id": document.doc_id,
        "doc": document.doc,
        "target": plain(document.target),
        "arguments": [arguments(request) for request in _as_asked(document, given)],
        "resps": given.responses,
        "filtered_resps": [plain(value) for value in filtered],
        "filter": filter_name,
        "metrics": list(values),
        "doc_hash": document.doc_hash,
        "prompt_hash": document.prompt_hash,
        "target_hash": document.target_hash,
        **values,
        "finish": list(given.finish),
        "cut_tokens": cut_tokens,
        "unparsed": unparsed,
        "error": error,
        **(code or {}),
    }
    if given.reasoning:
        sample |= {"reasoning": list(given.reasoning), "thinking_tokens": list(given.thinking_tokens)}
    return Row(
        task=document.task,
        doc_id=document.doc_id,
        doc_hash=document.doc_hash,
        prompt_hash=document.prompt_hash,
        filter=filter_name,
        sample=sample,
        metrics=dict(metrics),
        stratum=document.stratum,
        cluster=document.cluster,
        flags=tuple(name for name, raised in flags.items() if raised),
    )


def code_columns(programs: Sequence[str], verdicts: Sequence[Verdict]) -> JsonObject:
    """One value for one sample, lists for several."""
    columns: dict[str, list[Any]] = {
        "program": list(programs),
        "verdict": [v.verdict for v in verdicts],
        "reason": [v.reason for v in verdicts],
        "seconds": [v.seconds for v in verdicts],
    }
    return {name: values[0] if len(values) == 1 else values for name, values in columns.items()}


def found_no_answer(filtered: Sequence[Any], fallbacks: frozenset[str]) -> bool:
    """Whether a filter returned its fallback or nothing."""
    return any(_is_nothing(value, fallbacks) for value in filtered)


def first_text(filtered: Sequence[Any]) -> str:
    """The first answer after a document's filters."""
    answer: Any = filtered[0] if filtered else ""
    while isinstance(answer, list | tuple):
        answer = answer[0] if answer else ""
    return str(answer)


def _is_nothing(value: Any, fallbacks: frozenset[str]) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_nothing(part, fallbacks) for part in value)
    return value is None or (isinstance(value, str) and (not value.strip() or value in fallbacks))


def plain(value: Any) -> Any:
    """The value with numpy's numbers and arrays replaced by Python's, inside tuples and lists too."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value
