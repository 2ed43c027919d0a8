"""Takes a judge's error into a difference: what a judge gave is corrected by people's labels of some answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.lines import Lines
from evalkit.comparison.measure import Measured
from evalkit.comparison.targets import Target
from evalkit.errors import NotComparable, UsageError
from evalkit.results import Metric, Run
from evalkit.stats.powered import PoweredDifference, powered_difference

__all__ = ["Labels", "check_judge", "correct", "judge_note"]

Labels = Mapping[tuple[str, str], Sequence[float]]
"""(item, dimension) → people's ratings. An item is `task/doc_id|model`, or `task/doc_id|run-id`."""

_FEWEST = 20
Floats = NDArray[np.float64]


def _judged(run: Run, target: Target) -> Metric | None:
    entry = run.entry(target.name)
    metric = entry.metrics.get(target.metric) if entry else None
    return metric if metric is not None and metric.judged else None


def check_judge(baseline: Run, candidate: Run, target: Target, allow: Collection[str] = ()) -> list[str]:
    """Refuse scores of two judges, or by two rubrics, as if one had given them. A note where that is meant."""
    figures = [figure for run in (baseline, candidate) if (figure := _judged(run, target)) is not None]
    if len({(str(figure.rubric), figure.fingerprint) for figure in figures}) < 2:
        return []
    what = f"{target.name}: {target.metric} was judged by another judge or rubric in each run"
    if "judge" not in allow:
        raise NotComparable(f"{what}; judge both alike with evalkit judge run, or type --allow judge if that is meant")
    return [f"differs on purpose: {what}"]


def judge_note(baseline: Run, target: Target) -> list[str]:
    """Says of a figure whose it is, where no label corrects it."""
    figure = _judged(baseline, target)
    if figure is None:
        return []
    names = ", ".join(judge.name for judge in figure.judge if judge.name) or "the judge"
    return [f"{target.name}: {target.metric} as {names} sees it; --labels FILE corrects for its errors"]


def correct(
    measured: Measured, lines: tuple[Lines, Lines], baseline: Run, candidate: Run, labels: Labels
) -> tuple[Measured, list[str]]:
    """The measurement with the difference that people would see, and a note. Of other than a judge's figures: as it is.

    Where answers are missing the bounds move as those of the judge's scores do.
    """
    target, pairs = measured.target, measured.pairs
    if _judged(baseline, target) is None or measured.point is None:
        return measured, []
    dimension = target.metric.partition(",")[0]
    names = _names(baseline, candidate)
    sides = ((lines[0], pairs.baseline_line, names[0]), (lines[1], pairs.candidate_line, names[1]))
    people = [_ratings(side, index, dimension, of, labels) for side, index, of in sides]
    both = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    labelled = both & np.isfinite(people[0]) & np.isfinite(people[1])
    if labelled.sum() < _FEWEST:
        raise UsageError(
            f"--labels: {int(labelled.sum())} documents of {target.name} have a label of {dimension} in both runs, and"
            f" {_FEWEST} at least are needed; an item is written as in judgments, {target.name}/0|{names[0][-1]}"
        )
    sign = target.sign
    clusters = np.array([pairs.cluster[i] for i in np.flatnonzero(both)], dtype=object)
    difference = powered_difference(
        sign * pairs.baseline[both],
        sign * pairs.candidate[both],
        sign * people[0][both],
        sign * people[1][both],
        scale=measured.scale,
        clusters=clusters,
    )
    note = (
        f"{target.name}: {target.metric} is corrected by {difference.labelled:,} documents that people labelled in both"
        f" runs (prediction-powered, λ {difference.power:.2f}); the judge alone says {measured.delta:+.4g}"
    )
    first = sign * difference.base
    point = measured.point
    lower, upper = (
        difference if end is point or end is None else _moved(difference, end.delta - point.delta)
        for end in (measured.worst, measured.best)
    )
    corrected = replace(
        measured,
        baseline=first,
        candidate=first + sign * difference.delta,
        point=difference,
        worst=None if measured.worst is None else lower,
        best=None if measured.best is None else upper,
    )
    return corrected, [note]


def _moved(difference: PoweredDifference, shift: float) -> PoweredDifference:
    """The difference with every bound moved."""
    return replace(difference, delta=difference.delta + shift, shift=shift)


def _names(baseline: Run, candidate: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """By what names the labels may mean each run: its run-id, and its model where the two differ in that."""
    if baseline.label == candidate.label:
        return (baseline.run_id,), (candidate.run_id,)
    return (baseline.run_id, baseline.label), (candidate.run_id, candidate.label)


def _ratings(lines: Lines, index: NDArray[np.int64], dimension: str, names: Sequence[str], labels: Labels) -> Floats:
    """The mean rating of each pair's document; NaN where nobody rated it."""
    ratings = np.full(index.size, np.nan)
    for place, line in enumerate(index):
        if line < 0:
            continue
        document = f"{lines.task[line]}/{lines.doc_id[line]}"
        for name in names:
            given = [value for value in labels.get((f"{document}|{name}", dimension), ()) if np.isfinite(value)]
            if given:
                ratings[place] = sum(given) / len(given)
                break
    return ratings
