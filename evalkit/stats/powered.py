"""The difference that people would see between two runs, from a judge's scores of all documents and labels of some.

Prediction-powered inference for a paired mean (Angelopoulos, Duchi & Zrnic 2023, "PPI++", arXiv:2311.01453): with f the
judge's difference of a document and y that of people, θ = λ·mean(f, unlabelled) + mean(y − λf, labelled). The labelled
documents have to be drawn at random. Whole clusters count as one observation, and quantiles are Student's with as many
degrees of freedom as labelled clusters less one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from evalkit.stats.bounds import Bounds
from evalkit.stats.cluster import codes

__all__ = ["PoweredDifference", "powered_difference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PoweredDifference(Bounds):
    """A paired difference as people would see it; positive where the second run is better.

    `base`: what people would give the first run.
    """

    labelled: int
    power: float
    """λ: how far the judge is used."""
    _data: _Data = field(repr=False)
    shift: float = 0.0
    """How far missing answers move it."""

    def _bound(self, alpha: float, relative: float, side: int) -> float:
        size = -1.0 if self.base < 0 else 1.0
        value, stderr, clusters = self._data.estimate(relative * size)
        if clusters < 2 or alpha >= 0.5:
            return side * math.inf if clusters < 2 else value
        reach = -float(stdtrit(clusters - 1, alpha)) * stderr
        # Where almost no labelled document differs, the spread seen says little of what may differ.
        if self._data.moved < _FEW:
            reach = max(reach, self.scale * (1 - alpha ** (1 / clusters)) * (1 + relative))
        return value + self.shift + side * reach


_FEW = 5


@dataclass(frozen=True)
class _Data:
    here_judge: Floats
    there_judge: Floats
    here_people: Floats
    there_people: Floats
    labelled: NDArray[np.bool_]
    cluster: NDArray[np.intp]
    power: float

    @property
    def moved(self) -> int:
        kept = self.labelled
        return int(np.sum(self.here_people[kept] != self.there_people[kept]))

    def estimate(self, relative: float) -> tuple[float, float, int]:
        """The mean of (second − first + relative · first), its standard error, and the number of labelled clusters."""
        judge = self.there_judge - self.here_judge + relative * self.here_judge
        people = (self.there_people - self.here_people + relative * self.here_people)[self.labelled]
        return self._mean(judge, people)

    def first(self) -> float:
        return self._mean(self.here_judge, self.here_people[self.labelled])[0]

    def _mean(self, judge: Floats, people: Floats) -> tuple[float, float, int]:
        kept, power = self.labelled, self.power
        rest = power * judge[~kept]
        rectified = people - power * judge[kept]
        value = float(rectified.mean() + (rest.mean() if rest.size else 0.0))
        share = np.zeros(judge.size)
        share[kept] = (rectified - rectified.mean()) / rectified.size
        if rest.size:
            share[~kept] = (rest - rest.mean()) / rest.size
        sums = np.bincount(self.cluster, share)
        clusters = len(np.unique(self.cluster[kept]))
        wide = clusters / (clusters - 1) if clusters > 1 else math.inf
        return value, float(math.sqrt(wide * float(sums @ sums))), clusters


def powered_difference(
    here_judge: ArrayLike,
    there_judge: ArrayLike,
    here_people: ArrayLike,
    there_people: ArrayLike,
    *,
    scale: float,
    clusters: ArrayLike | None = None,
) -> PoweredDifference:
    """Scores of each document by the judge and by people, of two runs. People's are NaN where nobody labelled both."""
    f0, f1, y0, y1 = (np.asarray(v, float) for v in (here_judge, there_judge, here_people, there_people))
    labelled = np.isfinite(y0) & np.isfinite(y1)
    if labelled.sum() < 2:
        raise ValueError("two labelled documents at least, each in both runs")
    numbered = codes(clusters, f0.size)
    cluster = np.arange(f0.size) if numbered is None else numbered
    judge, people = (f1 - f0)[labelled], (y1 - y0)[labelled]
    data = _Data(f0, f1, y0, y1, labelled, np.asarray(cluster, dtype=np.intp), _power(judge, people, f1 - f0, labelled))
    delta, stderr, _ = data.estimate(0.0)
    n = f0.size
    unit = delta / scale
    spread = (stderr / scale) ** 2 * n + unit**2 if math.isfinite(stderr) else abs(unit)
    changed = max(min(spread, 1.0), abs(unit))
    return PoweredDifference(
        delta=delta,
        lost=(changed - unit) / 2,
        gained=(changed + unit) / 2,
        n=n,
        effective_n=n * changed / spread if spread > changed > 0 else float(n),
        scale=scale,
        stderr=stderr,
        base=data.first(),
        labelled=int(labelled.sum()),
        power=data.power,
        _data=data,
    )


def _power(judge: Floats, people: Floats, everything: Floats, labelled: NDArray[np.bool_]) -> float:
    rest = int((~labelled).sum())
    spread = float(np.var(everything, ddof=1)) if everything.size > 1 else 0.0
    if not rest or spread == 0:
        return 0.0
    together = float(np.mean((people - people.mean()) * (judge - judge.mean())))
    return min(max(together / ((1 + people.size / rest) * spread), 0.0), 1.0)
