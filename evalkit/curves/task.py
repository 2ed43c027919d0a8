"""One task's curve: its points with bands, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalkit.curves.corpus import Resampled
from evalkit.curves.documents import Documents
from evalkit.curves.evidence import Bands, Evidence, Paired
from evalkit.curves.forgetting import forgotten
from evalkit.curves.records import Forgotten, Number, Point, TaskCurve
from evalkit.curves.texts import number, place
from evalkit.curves.verdicts import Verdict, decide
from evalkit.stats import Interval

__all__ = ["Figure", "judge_task"]

_UNPAIRED = "without rows the bands are unpaired and conservative"


@dataclass(frozen=True, slots=True)
class Figure:
    run_id: str
    value: float | None
    stderr: float | None
    documents: int | None
    reason: str | None


def judge_task(
    name: str,
    metric: str,
    places: Sequence[Number],
    figures: Sequence[Figure],
    outside: Figure | None,
    documents: Documents | None,
    *,
    axis: str,
    higher: bool | None,
    tolerance: float | str,
) -> TaskCurve:
    """The curve of a task. `documents`: rows of the baseline, if any, then of each point that has a figure."""
    known = [k for k, figure in enumerate(figures) if figure.value is not None]
    sign = -1 if higher is False else 1
    verdict: Verdict | None = None
    bands: dict[int, Interval | None] = {}
    count = None
    if known:
        measured = [figures[k] for k in known] + ([outside] if outside else [])
        evidence, count = _evidence(measured, documents, sign, outside is not None)
        bands = {k: _turned(evidence.band(at), sign) for at, k in enumerate(known)}
        values = [None if figure.value is None else sign * figure.value for figure in measured]
        if higher is not None and len(known) > 1:
            verdict = decide(
                values, evidence, tolerance=_allowed(tolerance, measured, sign), outside=outside is not None
            )
    points = tuple(
        _point(x, figure, bands.get(k), verdict.against[known.index(k)] if verdict and k in known else None)
        for k, (x, figure) in enumerate(zip(places, figures, strict=True))
    )
    declined, reason = _declined(points, known, verdict, higher, metric, axis, paired=count is not None, count=count)

    def at(index: int | None) -> Number | None:
        return None if index is None else places[known[index]]

    return TaskCurve(
        name=name,
        metric=metric,
        higher_is_better=higher,
        points=points,
        best=points[known[verdict.best]] if verdict else None,
        declined=declined,
        reason=reason,
        declined_from=at(verdict.declined_from) if verdict and declined is not None else None,
        worse_from=at(verdict.worse_from) if verdict else None,
        enough=at(verdict.enough) if verdict else None,
        baseline=outside.value if outside else None,
        documents=count,
        forgotten=_forgotten(documents, [places[k] for k in known], outside is not None, verdict),
    )


def _forgotten(
    documents: Documents | None, places: Sequence[Number], outside: bool, verdict: Verdict | None
) -> tuple[Forgotten, ...]:
    if documents is None or verdict is None or (documents.kind is not None and not documents.kind.labelled):
        return ()
    values = documents.values[1:] if outside else documents.values
    return forgotten(replace(documents, values=values), places, verdict.best)


def _evidence(
    measured: Sequence[Figure], documents: Documents | None, sign: int, outside: bool
) -> tuple[Evidence, int | None]:
    if documents is None:
        columns = zip(*((figure.value, figure.stderr, figure.documents) for figure in measured), strict=True)
        values, stderrs, counts = (list(column) for column in columns)
        return Bands(values, stderrs, counts, outside=outside, sign=sign), None
    if documents.kind is not None:
        tasks = documents.contributions()
        order = [*range(1, len(documents.parts)), 0] if outside else range(len(documents.parts))
        tasks = [replace(task, parts=tuple(task.parts[run] for run in order)) for task in tasks]
        together = Resampled(tasks, outside=outside, sign=sign)
        return together, together.documents
    rows = np.roll(documents.values, -1, axis=0) if outside else documents.values
    paired = Paired(rows, documents.design, outside=outside, scale=documents.scale)
    return paired, paired.documents


def _allowed(tolerance: float | str, measured: Sequence[Figure], sign: int) -> float:
    if isinstance(tolerance, float | int):
        return float(tolerance)
    best = max(sign * figure.value for figure in measured if figure.value is not None)
    return abs(best) * float(tolerance.rstrip("%")) / 100


def _turned(band: Interval | None, sign: int) -> Interval | None:
    return band if band is None or sign > 0 else Interval(-band.high, -band.low, band.level)


def _point(x: Number, figure: Figure, band: Interval | None, against: str | None) -> Point:
    why = figure.reason
    if figure.value is not None and band is None:
        why = "its standard error is not known" + (" (0 says nothing)" if figure.stderr == 0 else "")
    return Point(
        x=x,
        value=figure.value,
        stderr=figure.stderr,
        low=None if band is None else band.low,
        high=None if band is None else band.high,
        run_id=figure.run_id,
        against="better" if against == "better" else "worse" if against == "worse" else None,
        reason=why,
    )


def _declined(
    points: Sequence[Point],
    known: Sequence[int],
    verdict: Verdict | None,
    higher: bool | None,
    metric: str,
    axis: str,
    *,
    paired: bool,
    count: int | None,
) -> tuple[bool | None, str]:
    """Whether the last is worse than the best, and why so."""
    how = f"paired on {count:,} documents" if paired else _UNPAIRED
    last = points[-1]
    if higher is None:
        return None, f"neither more nor less of {metric} is better"
    if verdict is None:
        return None, f"only {len(known)} of {len(points)} points is known"
    best = points[known[verdict.best]]
    there = f"{axis} {place(best.x)}"
    if last.value is None:
        return None, f"the last point is not known: {last.reason}"
    assert best.value is not None
    if best is last:
        return False, f"the last point is the best; {how}"
    gap = number(abs(best.value - last.value))
    if best.value == last.value:
        return False, f"as good as at {there}; {how}"
    unknown = [point for point in (best, last) if point.low is None]
    if verdict.declined is None:
        return None, f"{gap} worse than at {there}, but at {axis} {place(unknown[0].x)} {unknown[0].reason}; {how}"
    if verdict.declined:
        sure = f"surely by {number(verdict.by)} or more" if paired else "the bands of the two do not overlap"
        return True, f"{gap} worse than at {there}, {sure}; {how}"
    return False, f"{gap} worse than at {there}, which may be chance" + (
        f"; {how}" if paired else f": the bands of the two overlap; {_UNPAIRED}, and a small decline does not show"
    )
