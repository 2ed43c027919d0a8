"""Several answers to one document: each is graded alone, as if it were the only one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evalkit.metrics import answers_averaged
from evalkit.registry.figures import figure
from evalkit.registry.rows import Document, Given, found_no_answer
from evalkit.registry.votes import Ballot
from evalkit.types import Figure, Row, Samples, SampleSpread

__all__ = ["figure_of_samples", "only", "scored_alone", "several"]

Filter = Callable[[Any, Sequence[tuple[Document, Given]]], list[list[Any]]]

Vote = Callable[[str], "str | None"]
"""What an answer votes for; None: nothing."""

_CHOOSING = ("TakeKFilter", "MajorityVoteFilter")
"""Filters of lm-eval that choose among several answers; one answer is all that there is to choose from."""


def several(document: Document, given: Given) -> bool:
    """Whether each request of the document has several generated answers, equally many."""
    counts = {len(answers) for answers in given.responses}
    return len(counts) == 1 and min(counts) > 1 and all(request.kind == "generate" for request in document.requests)


def scored_alone(
    task: Any,
    metric: str,
    asked: Sequence[tuple[Document, Given]],
    ensemble: Any,
    rows: Sequence[Row],
    apply: Filter,
    fallbacks: frozenset[str],
    vote: Vote | None = None,
) -> list[Row]:
    """The rows of these documents with the score and the vote of each answer. A row with an error stays as it is.

    `task` scores one answer (`process_results`); `apply` runs a filter over documents with their answers; `vote` says
    what an answer votes for, else it is read as the metric compares answers.
    """
    from evalkit.registry import lmeval

    alone, ballot = _without_choosing(ensemble), Ballot.of(task, metric)

    def by_ballot(answer: list[Any]) -> str | None:
        return None if found_no_answer(answer, fallbacks) else ballot.vote(_text(answer))

    voted = by_ballot if vote is None else lambda answer: vote(_text(answer))
    width = max((len(given.responses[0]) for _, given in asked), default=0)
    filtered: list[list[list[Any]]] = [[] for _ in asked]
    with lmeval.rendering():
        if len(asked) == 1:  # its filters look at no other document
            document, given = asked[0]
            filtered[0] = apply(alone, [(document, only(given, place)) for place in range(width)])
        for place in range(width) if len(asked) > 1 else ():
            # One pass over all documents for each answer: a filter may look at all of them at once.
            there = [i for i, (_, given) in enumerate(asked) if place < len(given.responses[0])]
            parts = apply(alone, [(asked[i][0], only(asked[i][1], place)) for i in there])
            for i, part in zip(there, parts, strict=True):
                filtered[i].append(part)
        return [
            row if _failed(row) else _scored(row, task, metric, document, given, parts, voted)
            for row, (document, given), parts in zip(rows, asked, filtered, strict=True)
        ]


def _failed(row: Row) -> bool:
    return "error" in row.flags or "missing" in row.flags


def _scored(
    row: Row,
    task: Any,
    metric: str,
    document: Document,
    given: Given,
    answers: Sequence[list[Any]],
    voted: Callable[[list[Any]], str | None],
) -> Row:
    from evalkit.registry import lmeval

    scored: dict[str, float | None] = {}
    scores: list[float | None] = []
    votes: list[str | None] = []
    for place, answer in enumerate(answers):
        if not given.ended(place):
            scores.append(None)
            votes.append(None)
            continue
        written = json.dumps(answer, default=repr)
        if written not in scored:
            try:
                value = task.process_results(document.doc, answer).get(metric)
                scored[written] = None if value is None else float(value)
            except Exception as error:
                return replace(row, sample={**row.sample, "samples_error": lmeval.say(error)})
        scores.append(scored[written])
        votes.append(voted(answer))
    return replace(row, samples=Samples(metric, tuple(scores), tuple(votes)))


def _text(answer: Any) -> str:
    if isinstance(answer, list | tuple):
        return "\n".join(_text(part) for part in answer)
    return str(answer)


def only(given: Given, place: int) -> Given:
    """The same document with one of its answers to each request."""
    return replace(given, responses=[[answers[place]] for answers in given.responses])


def _without_choosing(ensemble: Any) -> Any:
    alone = copy.copy(ensemble)
    alone.filters = [step for step in ensemble.filters if _name(step) not in _CHOOSING]
    return alone


def _name(step: Any) -> str:
    return str(getattr(getattr(step, "func", step), "__name__", ""))


# ── figures ──────────────────────────────────────────────────────────────────


def figure_of_samples(metric: str, rows: Sequence[Row], better: Callable[[str], bool | None]) -> Figure:
    """avg@K, maj@K or pass@k of a task under one filter: a mean over documents."""
    with_value = [row for row in rows if row.metrics.get(metric) is not None]
    samples = [row.samples for row in with_value if row.samples is not None]
    way = better(samples[0].metric) if samples else True
    values = [float(row.metrics[metric]) for row in with_value]
    if not values:
        return Figure(None, higher_is_better=way, reason="no document has a value")
    if answers_averaged(metric) in (None, 1):
        mean = sum(values) / len(values)
        stderr = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
        return figure(mean, stderr, values, way, metric)
    return _mean(values, samples, way)


def _mean(values: Sequence[float], samples: Sequence[Samples], way: bool | None) -> Figure:
    from evalkit.stats import sample_mean

    scores_of = [[score for score in document.scores if score is not None] for document in samples]
    if len(values) < 2:
        spread = SampleSpread(len(samples[0].scores), None, None, _over_runs(samples))
        return Figure(values[0], None, None, way, spread=spread)
    variances = [float(np.var(scores, ddof=1)) if len(scores) > 1 else 0.0 for scores in scores_of]
    mean = sample_mean(values, variances, [len(scores) for scores in scores_of])
    interval = mean.interval()
    spread = SampleSpread(len(samples[0].scores), mean.stderr_documents, mean.stderr_samples, _over_runs(samples))
    return Figure(mean.value, mean.stderr, (interval.low, interval.high), way, spread=spread)


def _over_runs(samples: Sequence[Samples]) -> float | None:
    """Standard deviation of the figure of each run of one answer per document."""
    table = np.array([[np.nan if score is None else score for score in document.scores] for document in samples], float)
    answered = np.isfinite(table)
    if not answered.any(axis=0).all():
        return None
    runs = np.where(answered, table, 0.0).sum(axis=0) / answered.sum(axis=0)
    return float(runs.std(ddof=1))
