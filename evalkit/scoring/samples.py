"""Figures of one document over several answers: their mean, a majority vote and pass@k.

avg@K   the mean of the scores of K answers
maj@K   the score of the answer that most of the K say; where answers tie, the mean of the tied ones
pass@k  the chance that one of k answers is right (`evalkit.scoring.passk`)
var@K   the variance of the K scores, which says how much more answers would help
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, variance

from evalkit.scoring.passk import pass_at_k
from evalkit.types import Row, Samples

__all__ = ["figures", "is_figure", "ks_up_to", "level", "majority", "names_of"]

_KS = (1, 2, 4, 5, 8, 10, 16, 32, 64, 100)


def ks_up_to(count: int) -> tuple[int, ...]:
    """The k of pass@k for this many answers: the usual ones, and all answers."""
    return tuple(sorted({*(k for k in _KS if k <= count), count}))


def majority(votes: Sequence[str | None], scores: Sequence[float]) -> float:
    """The score of the answer with most votes. Each of n tied answers counts 1/n.

    An answer in which nothing was found (None) has no vote; if no answer has one, it is the mean of all scores.
    """
    scores_by_vote: dict[str, list[float]] = {}
    for vote, score in zip(votes, scores, strict=True):
        if vote is not None:
            scores_by_vote.setdefault(vote, []).append(score)
    if not scores_by_vote:
        return fmean(scores)
    most = max(len(alike) for alike in scores_by_vote.values())
    return fmean(fmean(alike) for alike in scores_by_vote.values() if len(alike) == most)


def figures(samples: Samples) -> dict[str, float]:
    """All figures of one document; none if no answer is finished."""
    count = len(samples.scores)
    scored = [(vote, score) for vote, score in zip(samples.votes, samples.scores, strict=True) if score is not None]
    if not scored:
        return {}
    scores = [score for _, score in scored]
    out = {f"avg@{count}": fmean(scores), f"maj@{count}": majority([vote for vote, _ in scored], scores)}
    if len(scores) > 1:
        out[f"var@{count}"] = variance(scores)
    if all(score in (0.0, 1.0) for score in scores):
        estimates = {k: pass_at_k(len(scores), round(sum(scores)), k) for k in ks_up_to(count)}
        out |= {f"pass@{k}": value for k, value in estimates.items() if value is not None}
    return out


def names_of(count: int) -> tuple[str, ...]:
    """The figures of this many answers, as results.json has them."""
    return (f"avg@{count}", f"maj@{count}", *(f"pass@{k}" for k in ks_up_to(count)))


def is_figure(metric: str, count: int) -> bool:
    """Whether a metric is one of the figures of `count` answers."""
    name, at, k = metric.partition("@")
    return bool(at) and (k == str(count) if name in ("avg", "maj", "var") else name == "pass" and k.isdecimal())


def level(rows: Sequence[Row], least: int = 2) -> list[Row]:
    """The rows of a task with the figures of their answers, over equally many answers for each document.

    Documents with more answers than another count with their first ones. pass@k is left out where some document has
    scores other than right and wrong. `least`: with fewer answers there are no such figures.
    """
    counts = [len(row.samples.scores) for row in rows if row.samples is not None]
    count = min(counts, default=0)
    if count < least:
        return [row if row.samples is None else replace(row, samples=None) for row in rows]
    samples_of_rows = [None if row.samples is None else _first(row.samples, count) for row in rows]
    graded = any(score not in (0.0, 1.0, None) for samples in samples_of_rows if samples for score in samples.scores)
    return [
        row if samples is None else _with_figures(row, samples, graded)
        for row, samples in zip(rows, samples_of_rows, strict=True)
    ]


def _with_figures(row: Row, samples: Samples, graded: bool) -> Row:
    ours: dict[str, float | None] = {
        name: value for name, value in figures(samples).items() if not (graded and name.startswith("pass@"))
    }
    if not ours:  # no answer is finished: the document stands in the table without a value
        ours = dict.fromkeys(names_of(len(samples.scores)))
    # A row that stood for more answers before lets go of their figures.
    stale = {name for name in row.metrics if row.samples and name not in ours and _whole(name, len(row.samples.scores))}
    # The votes of a code task are its programs, which the row has already; so has it some pass@k.
    votes = {} if samples.metric.startswith("pass@") else {"votes": list(samples.votes)}
    sample = {**row.sample, "scores": list(samples.scores), **votes} if row.sample else row.sample
    more = {name: value for name, value in ours.items() if row.metrics.get(name) is None}
    kept = {name: value for name, value in row.metrics.items() if name not in stale}
    return replace(row, samples=samples, metrics={**kept, **more}, sample=sample)


def _whole(metric: str, count: int) -> bool:
    return is_figure(metric, count) and not metric.startswith("pass@")


def _first(samples: Samples, count: int) -> Samples:
    return Samples(samples.metric, samples.scores[:count], samples.votes[:count])
