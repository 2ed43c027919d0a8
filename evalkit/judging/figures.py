"""Makes figures of judgments: means with their intervals, coverage, methods; and rows for the judgments file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalkit.judging.certificate import certificate_of
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.pairwise import Comparison, length_dependence, win_rate
from evalkit.judging.reports import CalibrationNote, PairwiseFigures
from evalkit.judging.rubric import Rubric
from evalkit.results import Metric, figure, filter_of
from evalkit.stats import clustered_mean
from evalkit.types import Figure, JsonObject

__all__ = ["OVERALL", "Design", "combine", "comparisons_of", "coverage", "metric_entries", "overall", "row_of"]

OVERALL = "overall"
Design = Mapping[tuple[str, int], tuple[str | None, str | None]]
"""(task, doc_id) → its stratum and cluster, as the run has them."""


def row_of(judgment: Judgment, judge: Judge, rubric: Rubric) -> JsonObject:
    """A line of judgments/<rubric>@<judge>.jsonl, as `calibrate` and `audit` read it."""
    item = judgment.item
    row: dict[str, object] = {
        "item": item.item,
        "group": item.group,
        "system": item.system,
        "dimension": judgment.dimension,
        "score": judgment.score,
        "reason": judgment.reason,
        "method": judgment.method,
        "covered": judgment.covered,
        "entropy": judgment.entropy,
        "labels": dict(judgment.masses),
        "responses": list(judgment.responses),
        "parsed": list(judgment.parsed),
        "unread": dict(judgment.unread),
        "task": item.task,
        "doc_id": item.doc_id,
        "doc_hash": item.doc_hash,
        "length": len(item.answer),
        "answer": item.answer,
        "rubric": rubric.id,
        "rubric_hash": rubric.hash,
        "judge": judge.name,
        "judge_fingerprint": judge.fingerprint,
    }
    if rubric.kind == "pairwise":
        row |= {
            "against": item.against,
            "preference": judgment.score,
            "other_length": None if item.other is None else len(item.other),
            "same": judgment.method == "same text",
            "consistent": judgment.consistent,
            "orders": [
                {"system_first": first, "preference": order.score, "reason": order.reason, "covered": order.covered}
                for first, order in zip((True, False), judgment.orders, strict=False)
            ],
        }
    return {key: value for key, value in row.items() if value not in (None, [], {}) or key in ("score", "preference")}


def combine(by_judge: Sequence[Sequence[Judgment]], names: Sequence[str]) -> tuple[list[Judgment], dict[str, float]]:
    """Combine several judges: the mean of their scores, if all gave one; and their disagreement by dimension."""
    if len(by_judge) == 1:
        return list(by_judge[0]), {}
    others = [{(j.item.item, j.dimension): j for j in judgments} for judgments in by_judge]
    combined: list[Judgment] = []
    apart: dict[str, list[float]] = defaultdict(list)
    for first in by_judge[0]:
        key = first.item.item, first.dimension
        given = [judgments[key] for judgments in others]
        lacking = next((n for n, j in zip(names, given, strict=True) if j.score is None), None)
        if lacking is not None:
            reason = next(j.reason for j in given if j.score is None)
            combined.append(replace(first, score=None, reason=f"{lacking}: {reason}"))
            continue
        scores = [j.score for j in given if j.score is not None]
        apart[first.dimension].append(float(np.std(scores, ddof=1)))
        methods = "; ".join(dict.fromkeys(j.method or "" for j in given))
        combined.append(replace(first, score=math.fsum(scores) / len(scores), method=methods))
    return combined, {dimension: math.fsum(values) / len(values) for dimension, values in apart.items()}


def overall(judgments: Sequence[Judgment], rubric: Rubric) -> list[Judgment]:
    """The weighted mean of each item's dimensions, if all have a score. Different scales are mapped to 0–1 first."""
    if len(rubric.dimensions) < 2:
        return []
    by_item: dict[str, dict[str, Judgment]] = defaultdict(dict)
    for judgment in judgments:
        by_item[judgment.item.item][judgment.dimension] = judgment
    whole = []
    for by_dimension in by_item.values():
        given = [by_dimension.get(dimension.name) for dimension in rubric.dimensions]
        head = next(j for j in given if j is not None)
        total = weights = 0.0
        reason = None
        for dimension, one in zip(rubric.dimensions, given, strict=True):
            if one is None or one.score is None:
                reason = reason or f"{dimension.name}: {one.reason if one else 'not judged'}"
                continue
            scale = dimension.scale
            value = one.score if same_scale(rubric) else (one.score - scale.low) / (scale.high - scale.low)
            total, weights = total + value * dimension.weight, weights + dimension.weight
        score = total / weights if reason is None and weights else None
        whole.append(Judgment(head.item, OVERALL, score, reason, "weighted mean of the dimensions"))
    return whole


def same_scale(rubric: Rubric) -> bool:
    return len({(d.scale.low, d.scale.high) for d in rubric.dimensions}) == 1


def coverage(judgments: Sequence[Judgment]) -> float:
    return sum(j.score is not None for j in judgments) / len(judgments) if judgments else 0.0


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float


def metric_entries(
    judgments: Sequence[Judgment],
    rubric: Rubric,
    judges: Sequence[Judge],
    design: Design,
    disagreement: Mapping[str, float],
    records: Sequence[CalibrationNote],
) -> dict[str, Metric]:
    """`<dimension>,<rubric-id>@<judge>` → the entry of results.json, for one task.

    `records`: of calibration, the newest first.
    """
    by_dimension: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in judgments:
        by_dimension[judgment.dimension].append(judgment)
    entries: dict[str, Metric] = {}
    for name, rows in by_dimension.items():
        dimensions = rubric.dimensions if name == OVERALL else (rubric.dimension(name),)
        if name == OVERALL:
            first = rubric.dimensions[0].scale
            scale = _Scale(first.low, first.high) if same_scale(rubric) else _Scale(0.0, 1.0)
        else:
            found = rubric.dimension(name).scale
            scale = _Scale(found.low, found.high)
        entry: dict[str, object] = {
            **figure(_figure(rows, rubric, scale, design)).as_json(),
            "scale": [scale.low, scale.high],
            "coverage": coverage(rows),
            "n": sum(j.score is not None for j in rows),
            "missing": dict(Counter(_short(j.reason) for j in rows if j.score is None).most_common()),
            "method": _method(rows),
            "methods": dict(Counter(_kind(j.method) for j in rows if j.score is not None).most_common()),
            "rubric": {"id": rubric.id, "version": rubric.version, "hash": rubric.hash},
            "judge": [{"name": judge.name, "fingerprint": judge.fingerprint} for judge in judges],
            "fingerprint": "+".join(judge.fingerprint for judge in judges),
            "calibration": certificate_of(records, [dimension.name for dimension in dimensions]),
        }
        if name in disagreement:
            entry["disagreement"] = disagreement[name]
        if rubric.kind == "pairwise":
            entry |= _pairwise(rows)
        entries[f"{name},{filter_of(rubric.id, [judge.name for judge in judges])}"] = Metric.model_validate(entry)
    return entries


def _figure(rows: Sequence[Judgment], rubric: Rubric, scale: _Scale, design: Design) -> Figure:
    scored = [row for row in rows if row.score is not None]
    share = coverage(rows)
    if not scored:
        return Figure(None, reason="the judge scored none of the answers")
    if share < rubric.min_coverage:
        return Figure(None, reason=f"coverage {share:.3f} is below the rubric's {rubric.min_coverage:g}")
    where = [design.get((row.item.task, row.item.doc_id), (None, None)) for row in scored]
    strata, clusters = ([pair[i] for pair in where] for i in (0, 1))
    mean = clustered_mean(
        np.array([row.score for row in scored], float),
        clusters=np.array(clusters, object) if any(c is not None for c in clusters) else None,
        strata=np.array(strata, object) if any(s is not None for s in strata) else None,
    )
    if not math.isfinite(mean.stderr):
        return Figure(mean.value)
    interval = mean.interval(0.95)
    return Figure(mean.value, mean.stderr, (max(interval.low, scale.low), min(interval.high, scale.high)))


def comparisons_of(rows: Sequence[Judgment]) -> list[Comparison]:
    return [
        Comparison(
            item=row.item.group,
            system=row.item.system,
            against=row.item.against or "",
            preference=row.score,
            length=len(row.item.answer),
            other_length=None if row.item.other is None else len(row.item.other),
            same=row.method == "same text",
        )
        for row in rows
    ]


def _pairwise(rows: Sequence[Judgment]) -> PairwiseFigures:
    scores = [row.score for row in rows if row.score is not None]
    both = [row.consistent for row in rows if row.consistent is not None]
    firsts = [o.orders for o in rows if len(o.orders) == 2 and o.score is not None]
    rate = win_rate(comparisons_of(rows)) if scores else None
    return {
        "win_rate": None if rate is None else rate.value,
        "discrete_win_rate": None if rate is None else rate.discrete,
        "wins": sum(s > 0.5 for s in scores),
        "losses": sum(s < 0.5 for s in scores),
        "draws": sum(s == 0.5 for s in scores),
        "against": next((row.item.against for row in rows if row.item.against), None),
        "consistency": sum(both) / len(both) if both else None,
        "shown_first": math.fsum(o[0].score or 0.0 for o in firsts) / len(firsts) if firsts else None,
        "shown_second": math.fsum(o[1].score or 0.0 for o in firsts) / len(firsts) if firsts else None,
        "length": length_dependence(comparisons_of(rows)),
    }


def _kind(method: str | None) -> str:
    return (method or "unknown").split(" (")[0]


def _method(rows: Sequence[Judgment]) -> str | None:
    """The method, if all judgments have the same; else each method with its count."""
    methods = Counter(row.method or "unknown" for row in rows if row.score is not None)
    if not methods:
        return None
    if len(methods) == 1:
        return next(iter(methods))
    kinds = Counter(_kind(row.method) for row in rows if row.score is not None)
    return ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())


def _short(reason: str | None) -> str:
    return " ".join((reason or "no score").split())[:120]
