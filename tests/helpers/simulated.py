"""What simulations of paired figures share."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats as sps


def tables(n: int, lost: float, gained: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (lost, gained) table that may come up, with its probability."""
    most = [min(n, int(n * p + 8 * math.sqrt(n * p)) + 12) for p in (lost, gained)]
    b, c = (grid.ravel() for grid in np.meshgrid(np.arange(most[0] + 1), np.arange(most[1] + 1), indexing="ij"))
    keep = b + c <= n
    b, c = b[keep], c[keep]
    return b, c, sps.multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [lost, gained, 1 - lost - gained])
