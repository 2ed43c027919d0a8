"""What the pairs of one target say: figures, the paired difference, and how far missing answers could move it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.pairing import Pairs
from evalkit.comparison.targets import Target
from evalkit.metrics import facts
from evalkit.stats import BoundedDifference, Bounds, Design, bounded_difference

__all__ = ["Measured", "Member", "design", "measure", "parts"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Member:
    """A task of a group: shown, not tested."""

    name: str
    n: int
    baseline: float
    candidate: float
    lost: int
    gained: int

    @property
    def delta(self) -> float:
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class Measured:
    """Differences are in the metric's own direction: positive is better, also where lower figures are."""

    target: Target
    pairs: Pairs
    ends: tuple[float, float] | None
    """The metric's lowest and highest value; None where it has none, or none is known."""
    n: int
    """Documents that both runs answered."""
    baseline: float
    candidate: float
    whole_baseline: float
    """Mean of all that the run answered, with a partner or without."""
    whole_candidate: float
    lost: int
    gained: int
    point: Bounds | None
    """Of the documents that both answered; None where there is none."""
    worst: Bounds | None
    """Every answer that one of the two lacks counted against the candidate; None where that has no limit."""
    best: Bounds | None
    missing_baseline: int
    missing_candidate: int
    missing_both: int
    members: tuple[Member, ...]

    @property
    def delta(self) -> float:
        """Candidate less baseline, as the figures are, or their distances from the best value."""
        best = self.target.best_at
        if best is not None:
            return abs(self.candidate - best) - abs(self.baseline - best)
        return self.candidate - self.baseline

    @property
    def scale(self) -> float:
        return self.point.scale if self.point else 1.0


def measure(target: Target, pairs: Pairs) -> Measured:
    both = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    neither = ~np.isfinite(pairs.baseline) & ~np.isfinite(pairs.candidate)
    low, high = _range(target, pairs)
    # Oriented so that more is better, whatever the metric.
    here, there = target.sign * pairs.baseline, target.sign * pairs.candidate
    bottom, top = (low, high) if target.sign > 0 else (-high, -low)
    point = _bounded(target, pairs, here, there, both, top - bottom)
    if both.sum() + neither.sum() == both.size:
        worst = best = point
    elif math.isinf(top - bottom):
        worst = best = None
    else:
        # Documents that neither answered say nothing of a difference and stay out; the rest is bounded.
        some = ~neither
        worst = _bounded(target, pairs, _fill(here, top), _fill(there, bottom), some, top - bottom)
        best = _bounded(target, pairs, _fill(here, bottom), _fill(there, top), some, top - bottom)
    weights = _weights(target, pairs, both)
    return Measured(
        target=target,
        pairs=pairs,
        ends=(low, high) if math.isfinite(high - low) else None,
        n=int(both.sum()),
        baseline=_mean(pairs.baseline[both], weights),
        candidate=_mean(pairs.candidate[both], weights),
        whole_baseline=_whole(target, pairs, pairs.baseline),
        whole_candidate=_whole(target, pairs, pairs.candidate),
        lost=int(np.sum(there[both] < here[both])),
        gained=int(np.sum(there[both] > here[both])),
        point=point,
        worst=worst,
        best=best,
        missing_baseline=int(np.sum(~np.isfinite(pairs.baseline) & ~neither)),
        missing_candidate=int(np.sum(~np.isfinite(pairs.candidate) & ~neither)),
        missing_both=int(neither.sum()),
        members=_members(target, pairs, both),
    )


def design(target: Target, pairs: Pairs, chosen: NDArray[np.bool_], *, weighted: bool = True) -> Design:
    """Subjects are strata, sources are clusters; a group of equally weighted tasks gives each document its share."""
    kept = np.flatnonzero(chosen)
    return Design(
        kept.size,
        strata=_strata(target, pairs, kept),
        clusters=np.array([pairs.cluster[i] for i in kept], dtype=object),
        weights=_weights(target, pairs, chosen) if weighted else None,
    )


def _strata(target: Target, pairs: Pairs, kept: NDArray[np.intp]) -> NDArray[np.object_]:
    if len(target.leaves) == 1:
        return np.array([pairs.stratum[i] for i in kept], dtype=object)
    return np.array([f"{pairs.task[i]}\0{pairs.stratum[i] or ''}" for i in kept], dtype=object)


def _weights(target: Target, pairs: Pairs, chosen: NDArray[np.bool_]) -> Floats | None:
    if target.by_size or len(target.leaves) == 1:
        return None
    tasks = np.array(pairs.task, dtype=object)[chosen]
    _, inverse, counts = np.unique(tasks.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts.size * counts[inverse]))


def _bounded(
    target: Target, pairs: Pairs, here: Floats, there: Floats, chosen: NDArray[np.bool_], width: float
) -> BoundedDifference | None:
    if not chosen.any():
        return None
    a, b = here[chosen], there[chosen]
    known = np.concatenate([a, b])
    scale = width if math.isfinite(width) else float(known.max() - known.min())
    # A share of the baseline is a share of its size: the sign matters only for log-likelihoods.
    baseline = a if a.mean() >= 0 else -a
    return bounded_difference(
        b - a, scale=scale if scale > 0 else 1.0, baseline=baseline, design=design(target, pairs, chosen)
    )


def _range(target: Target, pairs: Pairs) -> tuple[float, float]:
    """The metric's ends: those it states, else 0 to 1 where every value lies there, else none."""
    if target.scale is not None:
        return target.scale
    known = np.concatenate([pairs.baseline, pairs.candidate])
    known = known[np.isfinite(known)]
    if facts(target.metric).unbounded or (known.size and (known.min() < 0 or known.max() > 1)):
        return -math.inf, math.inf
    return 0.0, 1.0


def _fill(values: Floats, default: float) -> Floats:
    return np.where(np.isfinite(values), values, default)


def _mean(values: Floats, weights: Floats | None) -> float:
    if values.size == 0:
        return math.nan
    return float(values.mean()) if weights is None else float(weights @ values)


def _whole(target: Target, pairs: Pairs, values: Floats) -> float:
    answered = np.isfinite(values)
    return _mean(values[answered], _weights(target, pairs, answered))


def parts(measured: Measured) -> tuple[Member, ...]:
    """The tasks of a group; of a task that stands alone its strata, where its documents have some."""
    if measured.members:
        return measured.members
    pairs = measured.pairs
    both = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    strata = [stratum or "" for stratum in pairs.stratum]
    return _split(measured.target, pairs, both, strata) if len(set(strata)) > 1 else ()


def _members(target: Target, pairs: Pairs, both: NDArray[np.bool_]) -> tuple[Member, ...]:
    if len(target.leaves) == 1:
        return ()
    order = {leaf: place for place, leaf in enumerate(target.leaves)}
    members = _split(target, pairs, both, pairs.task)
    return tuple(sorted(members, key=lambda member: order.get(member.name, len(order))))


def _split(target: Target, pairs: Pairs, both: NDArray[np.bool_], labels: Sequence[str]) -> tuple[Member, ...]:
    names, inverse = np.unique(np.array(labels, dtype=str), return_inverse=True)
    members = []
    for code, name in enumerate(names):
        mine = both & (inverse == code)
        n = int(mine.sum())
        if n == 0:
            continue
        a, b = pairs.baseline[mine], pairs.candidate[mine]
        better, worse = int(np.sum(b > a)), int(np.sum(b < a))
        gained, lost = (better, worse) if target.sign > 0 else (worse, better)
        members.append(Member(str(name), n, float(a.mean()), float(b.mean()), lost, gained))
    return tuple(members)
