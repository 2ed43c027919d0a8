"""Checks recorded spans against the contexts that they point into, and puts them to their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.errors import ConfigError
from evalkit.registry import Document, Task
from evalkit.registry.reading import wrong_span
from evalkit.results.recorded import Answered
from evalkit.results.recorded_spans import RecordedSpan
from evalkit.types import Generated, Located, Span

__all__ = ["located"]


def located(task: Task, documents: Sequence[Document], recorded: Mapping[int, Answered]) -> dict[int, Answered]:
    """The answers with their spans. A span outside its context, or of another text, is an error that names the row."""
    by_id = {document.doc_id: document for document in documents}
    located_answers: dict[int, Answered] = {}
    wrong: list[str] = []
    for doc_id, answered in recorded.items():
        located_answers[doc_id] = answered
        if answered.span is None:
            continue
        try:
            located_answers[doc_id] = _with_span(by_id[doc_id], answered, answered.span)
        except _WrongSpan as why:
            wrong.append(f"{answered.place}: document {doc_id} of {task.name}: {why}")
    if wrong:
        more = f" ({len(wrong) - 1} more rows have such spans)" if len(wrong) > 1 else ""
        raise ConfigError(f"{wrong[0]}{more}")
    return located_answers


class _WrongSpan(Exception):
    """What is wrong with a span."""


def _with_span(document: Document, answered: Answered, stated: RecordedSpan) -> Answered:
    first = answered.answers[0][0]
    if not isinstance(first, Generated):
        return answered
    text, span = first.text, None
    if stated.says_where and stated.start is not None:
        end = stated.end if stated.end is not None else stated.start + len(text)
        span = Span(stated.start, end, text)
        if not stated.has_text:
            context = str(document.doc.get("context", ""))
            span = replace(span, text=context[max(span.start, 0) : max(span.end, 0)])
            text = span.text
        if why := wrong_span(document.doc, text, span):
            raise _WrongSpan(why)
    for candidate in stated.n_best:
        if why := wrong_span(document.doc, candidate.text, candidate):
            raise _WrongSpan(f"n_best: {why}")
    place = Located(span, stated.no_answer, stated.n_best, stated.says_where)
    return replace(answered, answers=[[replace(first, text=text, located=place)]])
