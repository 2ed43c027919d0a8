"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["holm", "holm_levels"]

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values, in the order given: Holm (1979), Scand. J. Statist. 6:65."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out


def holm_levels(p_values: ArrayLike, alpha: float) -> Floats:
    """The error each test is held to: α/m for the smallest p, α/(m−1) for the next, and so on to the first
    that is not rejected; those after it are held to the level at which the procedure stopped."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    levels = alpha / np.arange(p.size, 0, -1)
    stopped = np.flatnonzero(p[order] >= levels)
    if stopped.size:
        levels[stopped[0] :] = levels[stopped[0]]
    out = np.empty_like(p)
    out[order] = levels
    return out
