"""Measures how far a judge agrees with people, by dimension, from recorded judgments and labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from evalkit.errors import UsageError
from evalkit.judging.agreement import (
    CORRELATIONS,
    ceiling,
    group_index,
    krippendorff_alpha,
    pairwise_accuracy,
    per_group,
    quadratic_kappa,
)
from evalkit.judging.ppi import powered_mean
from evalkit.judging.records import Judged
from evalkit.judging.reports import Agreement, Ceiling, DimensionReport, Estimate, GroupAgreement, Replies
from evalkit.judging.resample import agreement_intervals, group_mean_intervals, rank_resamples

__all__ = ["calibrate"]

A = TypeVar("A", Agreement, GroupAgreement)
Labels = Mapping[tuple[str, str], Sequence[float]]


def calibrate(
    judged: Sequence[Judged], labels: Labels, *, resamples: int = 2000, seed: int = 0
) -> dict[str, DimensionReport]:
    """Figures by dimension, in the order of the judgments. An unknown figure is None, with its reason."""
    by_dimension: dict[str, list[Judged]] = {}
    for judgment in judged:
        by_dimension.setdefault(judgment.dimension, []).append(judgment)
    if not any((judgment.item, judgment.dimension) in labels for judgment in judged):
        some = judged[0]
        raise UsageError(
            "no judgment has a label: items and dimensions must be written alike in both files"
            f" (the judgments have {some.item!r} in {some.dimension!r}, the labels {next(iter(labels))})"
        )
    return {name: _dimension(name, rows, labels, resamples, seed) for name, rows in by_dimension.items()}


def _dimension(name: str, rows: Sequence[Judged], labels: Labels, resamples: int, seed: int) -> DimensionReport:
    labelled = [row for row in rows if (row.item, name) in labels]
    pairs = [(row, labels[row.item, name]) for row in labelled if row.score is not None]
    judge = np.array([row.score for row, _ in pairs], float)
    people = np.array([_mean(ratings) for _, ratings in pairs], float)
    reasons = Counter(row.reason or "no score" for row in rows if row.score is None)
    judged_items = {row.item for row in rows}
    report: DimensionReport = {
        "n": len(pairs),
        "coverage": (len(rows) - reasons.total()) / len(rows),
        "judged": len(rows),
        "labelled": len(labelled),
        "labels_without_judgment": sum(d == name and item not in judged_items for item, d in labels),
        "missing": dict(reasons.most_common()),
        "replies": _replies(rows),
    }
    if len(pairs) < 2:
        reason = f"judged items with a label: {len(pairs)}; two at least are needed"
        return {
            **report,
            "pearson": None,
            "spearman": None,
            "kendall": None,
            "pairwise_accuracy": None,
            "qwk": None,
            "alpha": None,
            "bias": None,
            "per_group": _no_groups(reason),
            "reason": reason,
        }
    named = [row.group for row, _ in pairs]
    groups = group_index(named)
    unlabelled = [row.score for row in rows if row.score is not None and (row.item, name) not in labels]
    return {
        **report,
        **_overall(judge, people, groups, resamples, seed),
        "per_group": _per_group(judge, people, groups, any(g is not None for g in named), resamples, seed),
        "ceiling": _ceiling([ratings for _, ratings in pairs]),
        "estimate": _estimate(people, judge, unlabelled),
    }


def _replies(rows: Sequence[Judged]) -> Replies:
    """Counts of single replies, several of which may belong to one score."""
    unread: Counter[str] = Counter()
    for row in rows:
        unread.update(row.unread)
    read = sum(len(row.parsed) for row in rows)
    return {"n": read + unread.total(), "read": read, "unread": dict(unread.most_common())}


def _overall(judge: Any, people: Any, groups: Any, resamples: int, seed: int) -> Agreement:
    intervals = agreement_intervals(judge, people, groups, resamples=resamples, seed=seed)
    accuracy, told_apart = pairwise_accuracy(judge, people, groups)
    values = {
        **{name: function(judge, people) for name, function in CORRELATIONS.items()},
        "qwk": quadratic_kappa(judge, people),
        "alpha": krippendorff_alpha([judge, people]),
        "bias": float(judge.mean() - people.mean()),
    }
    agreement: Agreement = {}
    for name, value in values.items():
        interval = intervals[name] if _known(value) is not None else None
        agreement = _with_interval(agreement, name, value, interval)
    if agreement["pearson"] is None:
        agreement["reason"] = "one side is constant: " + ("the judge" if np.ptp(judge) == 0 else "the people")
    return {
        **agreement,
        "pairwise_accuracy": _known(accuracy),
        "pairs": told_apart,
        "resamples": resamples,
        "rank_resamples": rank_resamples(judge.size, resamples),
        "mean_judge": float(judge.mean()),
        "mean_people": float(people.mean()),
    }


def _per_group(judge: Any, people: Any, groups: Any, grouped: bool, resamples: int, seed: int) -> GroupAgreement:
    if not grouped:
        return _no_groups("the judgments name no groups")
    means = per_group(judge, people, groups)
    intervals = group_mean_intervals(means, resamples=resamples, seed=seed)
    agreement: GroupAgreement = {}
    for name, value in means.means.items():
        agreement = _with_interval(agreement, name, value, intervals[name])
    agreement = {**agreement, "groups": means.groups, "constant": means.constant}
    return agreement if means.groups else {**agreement, "reason": "no group in which both sides tell items apart"}


def _no_groups(reason: str) -> GroupAgreement:
    return {"pearson": None, "spearman": None, "kendall": None, "groups": 0, "constant": 0, "reason": reason}


def _with_interval(agreement: A, name: str, value: float, interval: tuple[float, float] | None) -> A:
    """The agreement with one more measure, under its name and its name with `_ci95`."""
    return cast(A, {**agreement, name: _known(value), f"{name}_ci95": list(interval) if interval else None})


def _ceiling(people: Sequence[Sequence[float]]) -> Ceiling:
    if max(len(ratings) for ratings in people) < 2:
        reason = "one person a label: how far people agree is unknown"
        return {"pearson": None, "spearman": None, "kendall": None, "alpha": None, "reason": reason}
    return cast(Ceiling, {name: _known(value) for name, value in ceiling(people).items()})


def _estimate(people: Any, judge: Any, unlabelled: Sequence[float]) -> Estimate:
    """The mean that people would give to everything judged."""
    everything = powered_mean(people, judge, unlabelled)
    people_alone = powered_mean(people, judge, unlabelled, power=0.0)
    return {
        "mean": everything.value,
        "stderr": everything.stderr,
        "ci95": list(everything.ci),
        "power": everything.power,
        "labelled": everything.labelled,
        "unlabelled": everything.unlabelled,
        "people_alone": {"mean": people_alone.value, "stderr": people_alone.stderr, "ci95": list(people_alone.ci)},
    }


def _mean(ratings: Sequence[float]) -> float:
    given = [value for value in ratings if math.isfinite(value)]
    return math.fsum(given) / len(given)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
