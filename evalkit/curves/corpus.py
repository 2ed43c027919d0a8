"""How sure a curve of a figure of all documents together is: F1, perplexity, BLEU have no value of a single document.

The documents are drawn anew, whole clusters of them, for all checkpoints at once. From the draws come the correlations
of the checkpoints, and from these the error that each bound may have so that all hold together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evalkit.curves.evidence import LEVEL, contrasts
from evalkit.errors import NotComparable
from evalkit.stats import Contributions, Drawn, Interval, corpus_difference, corpus_figure, joint_error

__all__ = ["Resampled"]


class Resampled:
    """From what each document adds to the figure. `tasks`: for each member of the task the numbers of all runs.

    The last run is the baseline where it is `outside` of the curve. `sign` −1: less of the figure is better.
    """

    def __init__(self, tasks: Sequence[Contributions], *, outside: bool = False, sign: int = 1) -> None:
        if not tasks:
            raise NotComparable("no document was answered in all of these runs")
        self._tasks, self._sign = tasks, sign
        runs = len(tasks[0].parts)
        self.points = runs - outside
        self.documents = sum(len(task.parts[0]) for task in tasks)
        drawn = Drawn(tasks, seed=0)
        if drawn.clusters < 2 or drawn.draws.shape[1] < 2:
            raise NotComparable("too few documents are shared to draw them anew")
        covariance, df = np.cov(drawn.draws), drawn.clusters - 1
        bands = np.eye(runs)[: self.points]
        self._band_error = joint_error(covariance, bands, level=LEVEL, df=df, two_sided=True)
        self._pair_error = joint_error(covariance, contrasts(runs, self.points), level=LEVEL, df=df)
        self.values = [float(value) for value in drawn.points]

    def band(self, k: int) -> Interval | None:
        """Of a point's true value; those of all points hold together."""
        interval = corpus_figure(self._of(k)).interval(1 - 2 * self._band_error)
        if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
            return None
        return interval if self._sign > 0 else Interval(-interval.high, -interval.low, interval.level)

    def lower(self, k: int, j: int) -> float:
        """How much better k is than j, at least."""
        if k == j:
            return 0.0
        return float(corpus_difference(self._of(j, k), self._sign).lower(1 - self._pair_error))

    def _of(self, *runs: int) -> list[Contributions]:
        return [replace(task, parts=tuple(task.parts[run] for run in runs)) for task in self._tasks]
