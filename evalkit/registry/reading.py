"""Reading comprehension: an answer against the references of its question, as text and as a span of the context."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.checks.reading import RULES, Rules
from evalkit.errors import ConfigError, nearest
from evalkit.registry.grading import Grader
from evalkit.registry.readingfigures import best_score, best_threshold, ratio
from evalkit.registry.rows import Document, Given, first_text, found_no_answer, make_row
from evalkit.registry.sampling import scored_alone
from evalkit.types import Located, RawDocument, Row, Span

__all__ = ["AS_THE_TASK", "SPAN", "Reading", "ReadingGrader", "metric_list", "wrong_span"]

AS_THE_TASK = "as_the_task"
"""The rules of lm-eval's own task; evalkit adds where the answer stands."""

SPAN = "span_exact"
"""The metric: whether the characters that the answer stands for are a reference's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`reading:` of a task file: by which official script's rules answers are compared."""

    rules: str

    @classmethod
    def read(cls, value: Any, where: str) -> Reading:
        known = (*RULES, AS_THE_TASK)
        if not isinstance(value, str) or value not in known:
            raise ConfigError(
                f"{where}: reading: {value!r:.80} is none of {', '.join(known)}{nearest(str(value), known)}"
            )
        return cls(value)

    @property
    def official(self) -> Rules | None:
        return RULES.get(self.rules)

    @property
    def unanswered_is_wrong(self) -> bool:
        """Whether a question that a recording has no row for counts 0, as in the official script."""
        return self.official is not None and self.official.missing_is_wrong


def metric_list(rules: str) -> list[dict[str, Any]]:
    """lm-eval's `metric_list` of a task under these rules."""
    listed: list[tuple[str, Any, bool | None]] = [("exact_match", "mean", True), ("f1", "mean", True)]
    listed.append((SPAN, ratio, True))
    if RULES[rules].empty_is_equal:
        parts = [f"{part}_{metric}" for part in ("has_ans", "no_ans") for metric in ("exact_match", "f1")]
        listed += [(name, ratio, True) for name in parts]
        listed += [("best_exact_match", best_score, True), ("best_f1", best_score, True)]
        listed += [(f"{name}_threshold", best_threshold, None) for name in ("best_exact_match", "best_f1")]
    return [{"metric": name, "aggregation": function, "higher_is_better": way} for name, function, way in listed]


def wrong_span(doc: RawDocument, text: str | None, span: Span) -> str | None:
    """What is wrong with a span: it lies outside its context, or another text stands there. None: nothing."""
    context = str(doc.get("context", ""))
    if not 0 <= span.start <= span.end <= len(context):
        return f"the span {span.start} to {span.end} lies outside its context, which has {len(context)} characters"
    there = context[span.start : span.end]
    if text is not None and there != text:
        return f"{_short(there)} stands at {span.start} to {span.end} of its context, and the answer is {_short(text)}"
    return None


def _short(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else f"{text[:60]}…", ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ReadingGrader(Grader):
    """Scores answers by the rules of an official script, and the spans of those that say where they stand."""

    reading: Reading = Reading("squad")

    @property
    def scores_together(self) -> bool:
        return False

    def unanswered(self, document: Document) -> list[Row]:
        """The rows of a question that has no answer in a recording, where that counts 0."""
        given = Given([], [], missing=True)
        kept: dict[str, Any] = dict.fromkeys(self.metric_names, (0.0, 0.0)) | {"exact_match": 0.0, "f1": 0.0}
        return [make_row(document, given, name, [], kept, unanswered=True) for name in self.filters]

    def _row(self, document: Document, given: Given, ensemble: Any, filtered: list[Any], cut_tokens: int) -> Row:
        from evalkit.registry import lmeval

        if not given.ended(0):  # of several answers the row's own figures are about the first
            return self._null_row(document, given, ensemble.name, None, cut_tokens)
        located = given.located
        try:
            with lmeval.rendering():
                if self.reading.official is None:
                    metrics = dict(self.task.process_results(document.doc, filtered))
                else:
                    answer = first_text(filtered)
                    metrics = _figures(self.reading.official, document.doc, answer, located)
                if self.reading.official is not None or located is not None:
                    metrics[SPAN] = _span_exact(document.doc, located)
        except Exception as error:
            return self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens)
        metrics |= self._language(filtered)
        # No answer is an answer where questions may have none, and where the model marks spans.
        marked = located is not None and located.says_where
        unparsed = not marked and found_no_answer(filtered, frozenset()) and not _may_be_empty(self.reading)
        record = None if located is None else _told(located)
        return make_row(
            document, given, ensemble.name, filtered, metrics, unparsed=unparsed, cut_tokens=cut_tokens, code=record
        )

    def _sampled(self, asked: Sequence[tuple[Document, Given]], ensemble: Any, rows: Sequence[Row]) -> Sequence[Row]:
        rules = self.reading.official
        if rules is None:
            return Grader._sampled(self, asked, ensemble, rows)
        scorer = _ByRules(rules)
        return scored_alone(scorer, self.headline, asked, ensemble, rows, self._filtered, frozenset(), scorer.vote)


@dataclass(frozen=True, slots=True)
class _ByRules:
    """Scores one of several answers by an official script's rules."""

    rules: Rules

    def process_results(self, doc: RawDocument, filtered: list[Any]) -> dict[str, Any]:
        return _figures(self.rules, doc, first_text(filtered), None)

    def vote(self, answer: str) -> str | None:
        """The normalized answer. An empty one is a vote only where questions may have no answer."""
        text = self.rules.normalized(answer)
        return text if text or self.rules.empty_is_equal else None


def _figures(rules: Rules, doc: RawDocument, answer: str, located: Located | None) -> dict[str, Any]:
    references = list(doc["answers"]["text"])
    exact, f1 = rules.exact_match(answer, references), rules.f1(answer, references)
    metrics: dict[str, Any] = {"exact_match": exact, "f1": f1}
    if not rules.empty_is_equal:
        return metrics
    for part, belongs in (("has_ans", bool(references)), ("no_ans", not references)):
        for name in ("exact_match", "f1"):
            metrics[f"{part}_{name}"] = (metrics[name] * belongs, float(belongs))
    sure = located.no_answer if located is not None else None
    for name, value in (("best_exact_match", exact), ("best_f1", f1)):
        kept = None if sure is None else (value, sure, float(bool(references)), float(bool(answer)))
        metrics[name] = metrics[f"{name}_threshold"] = kept
    return metrics


def _span_exact(doc: RawDocument, located: Located | None) -> tuple[float, float]:
    """1 if the span is that of a reference, or if there is neither; and 1 if the answer says where it stands at all."""
    if located is None or not located.says_where:
        return 0.0, 0.0
    answers = doc["answers"]
    wanted = {
        (int(start), int(start) + len(text))
        for text, start in zip(answers["text"], answers["answer_start"], strict=True)
    }
    if located.span is None:
        return float(not wanted), 1.0
    return float((located.span.start, located.span.end) in wanted), 1.0


def _told(located: Located) -> dict[str, Any]:
    span = located.span
    record: dict[str, Any] = {}
    if located.says_where:
        record |= {"answer_start": span and span.start, "answer_end": span and span.end}
    if located.no_answer is not None:
        record["no_answer_probability"] = located.no_answer
    if located.n_best:
        record["n_best"] = [
            {"text": one.text, "answer_start": one.start, "answer_end": one.end, "score": one.score}
            for one in located.n_best
        ]
    return record


def _may_be_empty(reading: Reading) -> bool:
    return reading.official is not None and reading.official.empty_is_equal
