"""Several bounds that shall hold all at once: how much error each of them may have."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr

__all__ = ["joint_error", "sidak_level"]

Floats = NDArray[np.float64]

_CHUNK = 4_000_000


def sidak_level(count: int, level: float = 0.95) -> float:
    """The level of each of `count` two-sided intervals so that all hold together at `level`: level^(1/count).

    Šidák (1967), JASA 62:626: for normal estimates this is enough whatever their correlation.
    """
    return float(level ** (1 / max(count, 1)))


def joint_error(
    covariance: ArrayLike,
    contrasts: ArrayLike,
    *,
    level: float = 0.95,
    df: float = math.inf,
    two_sided: bool = False,
    draws: int = 20_000,
    seed: int = 0,
) -> float:
    """The one-sided error of each bound on `contrasts @ estimates` so that all of them hold together at `level`.

    The error is that of the `level` quantile of max t, drawn from the multivariate t with the estimates' own
    correlations: Hothorn, Bretz & Westfall (2008), Biometrical Journal 50:346; for a band over a curve Montiel Olea &
    Plagborg-Møller (2019), J. Applied Econometrics 34:1. It is never smaller than Bonferroni's, which holds always.
    `two_sided`: there is a bound on either side of each contrast. A contrast that does not vary needs no error.
    """
    sigma, rows = np.asarray(covariance, float), np.asarray(contrasts, float)
    error = 1 - level
    variance = np.einsum("ij,jk,ik->i", rows, sigma, rows)
    varies = np.isfinite(variance) & (variance > 1e-12 * max(float(np.nanmax(np.diag(sigma), initial=0.0)), 1e-300))
    bonferroni = error / max(len(rows), 1) / (2 if two_sided else 1)
    if not varies.any():
        return bonferroni
    scaled = rows[varies] / np.sqrt(variance[varies])[:, None]
    highest = _highest(sigma, scaled, df, two_sided, draws, seed)
    quantile = float(np.quantile(highest, level))
    drawn = float(ndtr(-quantile)) if math.isinf(df) else float(stdtr(df, -quantile))
    return min(max(drawn, bonferroni), error / 2 if two_sided else error)


def _highest(sigma: Floats, scaled: Floats, df: float, two_sided: bool, draws: int, seed: int) -> Floats:
    """Draws of the largest of the t statistics."""
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(sigma)
    mixed = scaled @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    largest = np.empty(draws)
    step = max(1, _CHUNK // len(mixed))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        t = rng.standard_normal((count, mixed.shape[1])) @ mixed.T
        largest[start : start + count] = (np.abs(t) if two_sided else t).max(axis=1)
    return largest if math.isinf(df) else largest / np.sqrt(rng.chisquare(df, draws) / df)
