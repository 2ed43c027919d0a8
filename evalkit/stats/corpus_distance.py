"""How much nearer a figure came to 0, between two runs on the same documents: for scores that are best at 0.

The change in distance |b| − |c| is the largest of t·b less the largest of s·c, over signs t and s. With t the
baseline's sign it is at least the smaller of t·b − c and t·b + c; with s the candidate's sign at most the larger of
b − s·c and −b − s·c. Each is linear in the two figures, so that each has the bounds of a paired difference. The smaller
of two lower bounds, each wrong with probability α, is wrong with at most α (Berger 1982, Technometrics 24:295).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evalkit.stats.bounds import Bounds
from evalkit.stats.corpus import Contributions, Drawn

__all__ = ["CorpusDistance", "corpus_distance"]


@dataclass(frozen=True)
class CorpusDistance(Bounds):
    """The baseline's distance from 0 less the candidate's: positive where the candidate is nearer."""

    _drawn: Drawn = field(repr=False)

    def _bound(self, alpha: float, relative: float, side: int) -> float:
        mine = [math.copysign(1.0, point) for point in self._drawn.points]
        signs = [(mine[0], s) for s in (1.0, -1.0)] if side < 0 else [(t, mine[1]) for t in (1.0, -1.0)]
        bounds = [self._linear(t, s, alpha, relative, side) for t, s in signs]
        furthest = self.scale * (1 + abs(relative))
        return min(max(min(bounds) if side < 0 else max(bounds), -furthest), furthest)

    def _linear(self, t: float, s: float, alpha: float, relative: float, side: int) -> float:
        return self._drawn.bound(lambda runs: np.asarray((1 + relative) * t * runs[0] - s * runs[1]), alpha, side)


def corpus_distance(tasks: Sequence[Contributions], seed: int = 0) -> CorpusDistance:
    """From the documents of both runs, by the paired cluster bootstrap of `corpus_difference`."""
    drawn = Drawn(tasks, seed)
    here, there = (float(point) for point in drawn.points)
    signs = math.copysign(1.0, here), math.copysign(1.0, there)
    change = signs[0] * drawn.draws[0] - signs[1] * drawn.draws[1]
    stderr = float(change.std(ddof=1)) if drawn.clusters > 1 else math.nan
    scale = max(abs(end) for end in drawn.scale or (-1.0, 1.0))
    n = sum(len(task.parts[0]) for task in tasks)
    unit = (abs(here) - abs(there)) / scale
    spread = (stderr / scale) ** 2 * n + unit**2 if math.isfinite(stderr) else abs(unit)
    changed = max(min(spread, 1.0), abs(unit))
    return CorpusDistance(
        delta=abs(here) - abs(there),
        lost=(changed - unit) / 2,
        gained=(changed + unit) / 2,
        n=n,
        effective_n=n * changed / spread if spread > changed > 0 else float(n),
        scale=scale,
        stderr=stderr,
        base=-abs(here),
        _drawn=drawn,
    )
