"""Intervals for figures of all documents together: the bootstrap over clusters, for one run and for two runs in pairs.

Whole clusters are drawn with replacement, within strata (Davison & Hinkley 1997, sections 3.2 and 3.8); bounds are BCa
(Efron 1987, JASA 82:171) at levels widened for the number of clusters (Hesterberg 2015, The American Statistician
69:371, on percentile intervals that are too narrow). Beyond what the draws can show a bound goes on as a normal one.
A bound is never nearer than the normal one. Where almost nothing varies the draws know nothing of what may, and a bound
leaves room for documents not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from evalkit.stats.bounds import Bounds
from evalkit.stats.cluster import codes
from evalkit.stats.corpus_kinds import KINDS, CorpusKind
from evalkit.stats.intervals import Interval

__all__ = [
    "Contributions",
    "CorpusDifference",
    "CorpusFigure",
    "Drawn",
    "corpus_difference",
    "corpus_figure",
    "corpus_value",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ENOUGH = 20
"""Clusters that must vary before their own spread is trusted."""
_WORK = 40_000_000
_DRAWS = (1_000, 4_000)
"""The fewest and the most resamples; in between as many as the work allows."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the documents of one task add to a figure, of one run or of two in the same order."""

    kind: str
    parts: tuple[Floats, ...]
    """For each run its documents' numbers, one row a document."""
    clusters: ArrayLike | None = None
    strata: ArrayLike | None = None
    weight: float = 1.0
    """The task's share where several tasks make one figure."""


class CorpusFigure:
    """A figure of one run with its interval."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn
        self.value = float(drawn.points[0])
        self.stderr = float(drawn.draws[0].std(ddof=1)) if drawn.clusters > 1 else math.nan
        self.clusters = drawn.clusters

    def interval(self, level: float = 0.95) -> Interval:
        """Two-sided, within the figure's scale."""
        alpha = (1 - level) / 2
        low, high = self._drawn.scale or (-math.inf, math.inf)
        below, above = (self._drawn.bound(_one, alpha, side) for side in (-1, +1))
        return Interval(max(below, low), min(above, high), level)


def _one(columns: Floats) -> Floats:
    return np.asarray(columns[0])


@dataclass(frozen=True)
class CorpusDifference(Bounds):
    """The difference of a figure between two runs on the same documents; positive where the second has more of it.

    `lost` and `gained` are those of a yes/no metric with the same difference and the same standard error, so that sizes
    can be planned with them.
    """

    _drawn: Drawn = field(repr=False)
    _sign: int = 1

    def _bound(self, alpha: float, relative: float, side: int) -> float:
        sign = self._sign
        size = -1.0 if self.base < 0 else 1.0  # a share of the baseline is a share of its size
        low, high = self._drawn.scale or (-math.inf, math.inf)

        def margin(columns: Floats) -> Floats:
            here, there = sign * columns[0], sign * columns[1]
            return np.asarray(there - here + relative * size * here)

        limit = self._drawn.bound(margin, alpha, side)
        furthest = (high - low) * (1 + relative)
        return min(max(limit, -furthest), furthest)


class Drawn:
    """The figure of the documents as they are, of every resample, and of all clusters but one."""

    def __init__(self, tasks: Sequence[Contributions], seed: int) -> None:
        first = tasks[0]
        self.kind = KINDS[first.kind]
        self.scale = self.kind.scale
        runs = len(first.parts)
        shares = np.array([task.weight for task in tasks])
        rng = np.random.default_rng(seed)
        plans = [_Plan(task, self.kind) for task in tasks]
        units = sum(plan.units for plan in plans)
        count = int(min(max(_WORK // max(units, 1), _DRAWS[0]), _DRAWS[1]))
        self.points = np.zeros(runs)
        self.draws = np.zeros((runs, count))
        self.jackknifes: list[Floats] = []
        """For each task, figures without one cluster each, as differences from the whole."""
        self.reach = 0.0
        """How far the figure moves, per share of the documents that are answered in another way."""
        self.varying = 0
        self.clusters = sum(plan.clusters for plan in plans)
        for plan, share in zip(plans, shares / shares.sum(), strict=True):
            self.points += share * plan.points
            self.draws += share * plan.draw(count, rng)
            self.jackknifes.append(share * plan.jackknife)
            self.reach = max(self.reach, plan.reach)
            self.varying += plan.varying
        # A resample without any document that a ratio is about has no figure; there is nothing to learn from it.
        self.draws = self.draws[:, np.isfinite(self.draws).all(axis=0)]

    @cached_property
    def sparse(self) -> bool:
        return self.varying < _ENOUGH

    def bound(self, figure: Callable[[Floats], Floats], alpha: float, side: int) -> float:
        """One-sided bound on a figure that is linear in those of the runs."""
        point = float(figure(self.points[:, None])[0])
        if self.clusters < 2 or self.draws.shape[1] < 2:
            return side * math.inf
        draws = np.sort(figure(self.draws))
        stderr = float(draws.std(ddof=1))
        z = -float(ndtri(alpha)) if self.clusters > 10_000 else -float(stdtrit(self.clusters - 1, alpha))
        z *= math.sqrt(self.clusters / (self.clusters - 1)) * side
        bias = _clip(float(ndtri((np.sum(draws < point) + 0.5 * np.sum(draws == point) + 0.5) / (draws.size + 1))), 0.5)
        skew = self._acceleration(figure)
        shifted = bias + (bias + z) / max(1 - skew * (bias + z), 0.2)
        limit = _quantile(draws, shifted, stderr)
        # With few documents of a rare class BCa bounds are a little too near: the normal one holds them off.
        limit = point + side * max(side * (limit - point), abs(z) * stderr)
        if self.sparse:
            unseen = 1 - alpha ** (1 / self.clusters)
            limit = point + side * max(side * (limit - point), unseen * self.reach)
        return limit

    def _acceleration(self, figure: Callable[[Floats], Floats]) -> float:
        """Σu³ / 6(Σu²)^1.5 of the jackknife's influences (Efron 1987, section 7)."""
        influences = np.concatenate([-figure(jack) for jack in self.jackknifes])
        influences = influences[np.isfinite(influences)]
        influences = influences - influences.mean() if influences.size else influences
        spread = float((influences**2).sum())
        return 0.0 if spread <= 1e-24 else _clip(float((influences**3).sum()) / (6 * spread**1.5), 0.25)


class _Plan:
    """One task's clusters: what each adds up to, and how they are drawn."""

    def __init__(self, task: Contributions, kind: CorpusKind) -> None:
        self._value = kind.value
        self.runs = len(task.parts)
        labels = kind.labels(*task.parts)
        columns = [kind.summands(part, labels) for part in task.parts]
        self._width = columns[0].shape[1]
        table = np.concatenate(columns, axis=1)
        n = table.shape[0]
        cluster = codes(task.clusters, n)
        stratum = _numbered(task.strata, n)
        if cluster is None:
            owners = stratum
        else:
            if stratum.any():
                _, cluster = np.unique(stratum * (int(cluster.max()) + 1) + cluster, return_inverse=True)
            owners = np.zeros(int(cluster.max()) + 1, dtype=np.intp)
            owners[cluster] = stratum
            table = np.stack([np.bincount(cluster, column) for column in table.T], axis=1)
        self.clusters = table.shape[0]
        self._strata = [table[owners == code] for code in np.unique(owners)]
        self.units = sum(min(len(part), 64) if _few(part) else len(part) for part in self._strata)
        self._total = table.sum(axis=0)
        self.points = self._values(self._total)
        self.jackknife = np.concatenate([self._without(part) for part in self._strata], axis=1)
        self.varying = _varying(task.parts, cluster, kind)
        self.reach = _reach(task, kind, labels, self.points, self.jackknife)

    def _values(self, sums: Floats) -> Floats:
        """The figure of each run, from the sums of all runs side by side."""
        return np.stack([self._value(sums[..., r * self._width : (r + 1) * self._width]) for r in range(self.runs)])

    def _without(self, part: Floats) -> Floats:
        return np.asarray(self._values(self._total - part) - self.points[:, None])

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        sums = np.zeros((count, self._total.size))
        for part in self._strata:
            sums += _resampled(part, count, rng)
        return self._values(sums)


def _resampled(part: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Sums over as many rows as there are, drawn with replacement, many times."""
    n = len(part)
    if _few(part):
        rows, counts = np.unique(part, axis=0, return_counts=True)
        return np.asarray(rng.multinomial(n, counts / n, size=count) @ rows)
    sums = np.empty((count, part.shape[1]))
    step = max(1, 4_000_000 // n)
    for start in range(0, count, step):
        some = min(step, count - start)
        picked = rng.integers(0, n, (some, n)) + np.arange(some)[:, None] * n
        times = np.bincount(picked.ravel(), minlength=some * n).reshape(some, n)
        sums[start : start + some] = times @ part
    return sums


def _few(part: Floats) -> bool:
    """Whether the rows are few different ones, as gold and prediction are: then they are drawn by their counts."""
    return len(part) > 200 and len(np.unique(part[:200], axis=0)) <= 40 and len(np.unique(part, axis=0)) <= 64


def _numbered(labels: ArrayLike | None, n: int) -> Ints:
    if labels is None:
        return np.zeros(n, dtype=np.intp)
    text = np.array(["" if label is None else str(label) for label in np.asarray(labels, object)])
    return np.unique(text, return_inverse=True)[1].astype(np.intp)


def _varying(parts: tuple[Floats, ...], cluster: Ints | None, kind: CorpusKind) -> int:
    """Clusters in which the two runs differ; of one run, those that are not as most are."""
    if len(parts) > 1:
        moved = (parts[0] != parts[1]).any(axis=1)
    else:
        each = kind.each(parts[0])
        values, counts = np.unique(each, return_counts=True)
        moved = each != values[counts.argmax()] if values.size else np.zeros(0, dtype=bool)
    return int(moved.sum()) if cluster is None else len(np.unique(cluster[moved]))


def _reach(task: Contributions, kind: CorpusKind, labels: Floats, points: Floats, jackknife: Floats) -> float:
    """How far the figure moves, per share of documents answered in another way.

    Of gold and prediction: the most that any other prediction for one document moves it. Of a share: the documents over
    those that it is about. Else twice what leaving one cluster out moves.
    """
    n = len(task.parts[0])
    if kind.labelled:
        known = labels if labels.size > 1 else np.array([0.0, 1.0])
        total = kind.summands(task.parts[-1], known).sum(axis=0)
        seen = np.unique(task.parts[-1], axis=0)[:64]
        other = np.repeat(seen, known.size, axis=0)
        other[:, 1] = np.tile(known, len(seen))
        was = np.repeat(kind.summands(seen, known), known.size, axis=0)
        moved = kind.value(total - was + kind.summands(other, known)) - kind.value(total)
        return float(n * np.abs(moved).max())
    if kind.name.startswith("ratio"):
        about = task.parts[-1].sum(axis=0)[1::2]
        signed = any((part < 0).any() for part in task.parts)
        return float(n / max(about[about > 0].min(initial=n), 1.0) * (2.0 if signed else 1.0))
    finite = np.abs(jackknife[np.isfinite(jackknife)])
    return float(2 * jackknife.shape[1] * finite.max(initial=0.0)) if points.size else 0.0


def _quantile(draws: Floats, z: float, stderr: float) -> float:
    """The quantile of sorted draws at Φ(z), extrapolated in steps of the standard error beyond the tenth draw."""
    furthest = -float(ndtri(min(10 / draws.size, 0.25)))
    inside = _clip(z, furthest)
    return float(np.quantile(draws, float(ndtr(inside)))) + (z - inside) * stderr


def _clip(value: float, most: float) -> float:
    return min(max(value, -most), most)


def corpus_value(kind: str, parts: Floats) -> float:
    """The figure alone."""
    corpus_kind = KINDS[kind]
    return float(corpus_kind.value(corpus_kind.summands(parts, corpus_kind.labels(parts)).sum(axis=0)))


def corpus_figure(tasks: Sequence[Contributions], seed: int = 0) -> CorpusFigure:
    """The figure of one run over these tasks, with a cluster bootstrap."""
    return CorpusFigure(Drawn(tasks, seed))


def corpus_difference(tasks: Sequence[Contributions], sign: int = 1, seed: int = 0) -> CorpusDifference:
    """The second run less the first, with a paired cluster bootstrap. `sign` −1: less of the figure is better."""
    drawn = Drawn(tasks, seed)
    here, there = sign * drawn.points
    stderr = float((drawn.draws[1] - drawn.draws[0]).std(ddof=1)) if drawn.clusters > 1 else math.nan
    low, high = drawn.scale or (0.0, 1.0)
    scale, n = high - low, sum(len(task.parts[0]) for task in tasks)
    unit = (there - here) / scale
    spread = (stderr / scale) ** 2 * n + unit**2 if math.isfinite(stderr) else abs(unit)
    changed = max(min(spread, 1.0), abs(unit))
    effective = n * changed / spread if spread > changed > 0 else float(n)
    return CorpusDifference(
        delta=float(there - here),
        lost=float(changed - unit) / 2,
        gained=float(changed + unit) / 2,
        n=n,
        effective_n=effective,
        scale=scale,
        stderr=stderr,
        base=float(here),
        _drawn=drawn,
        _sign=sign,
    )
