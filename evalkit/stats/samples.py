"""The mean over several answers per document, and where its standard error comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from evalkit.stats.intervals import Interval

__all__ = ["SampleMean", "own_discordance", "sample_mean"]


@dataclass(frozen=True, slots=True)
class SampleMean:
    value: float
    stderr: float
    """Of the mean, documents and answers both drawn anew. NaN for one document."""
    stderr_documents: float
    stderr_samples: float
    documents: int
    bounded: bool
    """All scores lie between 0 and 1."""

    def interval(self, level: float = 0.95) -> Interval:
        """Wilson's interval for an effective number of documents; Student's where the scores have no bounds.

        A mean of bounded scores is skewed near 0 and 1, where mean ± t·stderr covers too little. The effective number
        is that of yes/no documents with the same standard error, n* = p(1 − p)/stderr² (Korn & Graubard 1998,
        Survey Methodology 24:193). Where all scores are alike it is the number of documents.
        """
        if self.documents < 2:
            return Interval(-math.inf, math.inf, level)
        quantile = float(stdtrit(self.documents - 1, 0.5 + level / 2))
        if not self.bounded:
            half = quantile * self.stderr
            return Interval(self.value - half, self.value + half, level)
        spread = self.value * (1 - self.value)
        size = spread / self.stderr**2 if self.stderr > 0 and spread > 0 else float(self.documents)
        square = quantile**2
        middle = (self.value + square / (2 * size)) / (1 + square / size)
        half = quantile / (1 + square / size) * math.sqrt(spread / size + square / (4 * size**2))
        return Interval(max(0.0, middle - half), min(1.0, middle + half), level)


def sample_mean(means: ArrayLike, variances: ArrayLike, counts: ArrayLike) -> SampleMean:
    """The mean of the documents' means, each over `counts` answers whose scores have these variances.

    stderr² = s²/n, with s² the variance of the documents' means: it holds both parts. The part of the answers is
    Σ v_i/k_i / n², and the rest is that of the documents (Miller 2024, "Adding Error Bars to Evals", on resampling).
    """
    m, v, k = (np.asarray(values, float) for values in (means, variances, counts))
    n = m.size
    if n < 2:
        return SampleMean(float(m.mean()), math.nan, math.nan, math.nan, n, _bounded(m))
    total = float(m.var(ddof=1)) / n
    within = float(np.sum(v / k)) / n**2
    return SampleMean(
        value=float(m.mean()),
        stderr=math.sqrt(total),
        stderr_documents=math.sqrt(max(total - within, 0.0)),
        stderr_samples=math.sqrt(within),
        documents=n,
        bounded=_bounded(m),
    )


def own_discordance(variances: ArrayLike) -> float:
    """How often two answers to one document differ: for right and wrong the mean of 2p(1 − p), without bias.

    For graded scores it is the mean squared difference of two answers, which plays the same part.
    """
    return float(2 * np.asarray(variances, float).mean())


def _bounded(values: np.ndarray) -> bool:
    return bool(values.size) and float(values.min()) >= 0.0 and float(values.max()) <= 1.0
