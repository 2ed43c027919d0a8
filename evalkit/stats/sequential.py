"""Confidence sequences: bounds on a mean that hold however often one looks, so that looking early costs nothing.

Capital is staked against a mean m: K = ∏ (1 + λ(X − m)), the capital process of Waudby-Smith & Ramdas (2023),
"Estimating means of bounded random variables by betting", JRSS B 86:1, section 4. Where m is the mean, no staking gains
in the long run, and by Ville's inequality (1939) K reaches 1/α at any time at all with probability α at most. So 1 over
its largest value so far is a p-value that may be read after each round, and the m that are not ruled out yet are an
interval. The stake λ is mixed over a grid (the method of mixtures: Robbins 1970, Ann. Math. Statist. 41:1397): no
tuning, and no stake that runs after the data.

Two meanings of "the mean" are both held to, and the weaker of the two p-values counts:

these documents   A finite set, drawn without replacement: under the hypothesis, what is left of N has the mean
                  (N·m − Σ X)/(N − t) after t draws, and the next draw is measured against it (Waudby-Smith & Ramdas
                  2020, "Confidence sequences for sampling without replacement", NeurIPS 33, section 2; 2023, section
                  5). Alone, it would be sure of everything near the last document, and pass what the gate leaves open.
their population  The documents are themselves a sample, as the gate's bounds take them.

A round draws one unit from each slot (see `sequential_draw`). With one stake λ in a round, E ∏(1 + λ(Zᵤ − z)) =
∏(1 + λ(μᵤ − z)) ≤ (1 + λ(μ − z))^slots = 1 by independence and the inequality of the means: stratified drawing keeps
the guarantee, at the ends of rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.stats.sequential_draw import Drawing

__all__ = ["ConfidenceSequence", "log_capital", "stakes"]

Floats = NDArray[np.float64]

_BOLDEST = 0.9
"""The largest share of the capital that is staked: at 1 a single document could lose all of it."""

_STEP = math.sqrt(2.0)
"""Between two stakes of the grid. The best one is missed by at most a fifth, which costs 4% of its growth."""


def stakes(units: int) -> Floats:
    """Shares to stake, from the boldest to the one that suits the smallest difference that so many units can show."""
    timid = min(0.5, 2.0 / math.sqrt(max(units, 1)))
    count = 1 + math.ceil(math.log(_BOLDEST / timid) / math.log(_STEP))
    return np.asarray(_BOLDEST * _STEP ** -np.arange(count, dtype=float))


def log_capital(
    values: ArrayLike, counts: ArrayLike, *, lowest: float, slots: int, rounds: int | None, shares: ArrayLike
) -> Floats:
    """Log of the largest capital up to each round, staked on a mean above 0. Vectorised over leading axes of `counts`.

    `counts[..., r, v]` is how often `values[v]` was drawn in round r; what a slot had no unit for counts as 0.
    `lowest` is the least that a unit can be, `rounds` how many there will be in all; None: the population's mean, from
    which nothing is ever used up.
    """
    x, seen = np.asarray(values, float), np.asarray(counts, float)
    share = np.asarray(shares, float)
    floor = min(float(lowest), -1e-9)
    idle = slots - seen.sum(axis=-1)
    total = np.cumsum(seen @ x, axis=-1)
    before = np.concatenate([np.zeros((*total.shape[:-1], 1)), total[..., :-1]], axis=-1)
    growth = np.zeros((*seen.shape[:-2], share.size))
    out = np.empty(total.shape)
    sure = np.zeros(total.shape[:-1], dtype=bool)
    best = np.zeros(total.shape[:-1])
    for r in range(seen.shape[-2]):
        # What the units that are left must average if the mean of all is 0.
        z = np.zeros(total.shape[:-1]) if rounds is None else -before[..., r] / (slots * (rounds - r))
        sure |= z < floor
        room = np.maximum(z - floor, 1e-12)[..., None]
        stake = np.minimum(share / -floor, _BOLDEST / room)
        moved = np.log1p(stake[..., None] * (x - z[..., None, None])) @ seen[..., r, :, None]
        growth = growth + moved[..., 0] + np.log1p(-stake * z[..., None]) * idle[..., r, None]
        best = np.maximum(best, _log_mean(growth))
        out[..., r] = np.where(sure, np.inf, best)
    return out


def _log_mean(logs: Floats) -> Floats:
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]).mean(axis=-1)))


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """Of the weighted mean of one value per document, drawn round by round."""

    drawing: Drawing
    low: Floats
    """The least that each document's value can be, as known before its draw."""
    high: Floats

    def p_above(self, values: Floats, done: int, at: float = 0.0) -> float:
        """After `done` rounds, against 'the mean is `at` or less': small means that it is above. Valid at any time."""
        return self._p(values, done, at, +1)

    def p_below(self, values: Floats, done: int, at: float = 0.0) -> float:
        return self._p(values, done, at, -1)

    def lower(self, values: Floats, done: int, alpha: float) -> float:
        """The mean is above this, at all times at once, but for an error of `alpha`."""
        return self._bound(values, done, alpha, +1)

    def upper(self, values: Floats, done: int, alpha: float) -> float:
        return self._bound(values, done, alpha, -1)

    def _p(self, values: Floats, done: int, at: float, side: int) -> float:
        if done < 1:
            return 1.0
        drawing = self.drawing
        totals, weights, counts = drawing.tally(values, done)
        end = self.low if side > 0 else self.high
        lowest = float(np.min(side * (drawing.unit_totals(end) - at * drawing.unit_weights)))
        shares = stakes(drawing.units)
        capitals = [
            float(
                log_capital(
                    side * (totals - at * weights),
                    counts,
                    lowest=lowest,
                    slots=drawing.slots,
                    rounds=rounds,
                    shares=shares,
                )[-1]
            )
            for rounds in (drawing.rounds, None)
        ]
        return math.exp(-max(min(capitals), 0.0))

    def _bound(self, values: Floats, done: int, alpha: float, side: int) -> float:
        """Bisection: the further away a mean, the more capital is won against it."""
        weights = self.drawing.weights
        near, far = (float(weights @ end / weights.sum()) for end in (self.high, self.low))
        if side < 0:
            near, far = far, near
        if self._p(values, done, far, side) > alpha:
            return far
        for _ in range(30):
            middle = (near + far) / 2
            if self._p(values, done, middle, side) <= alpha:
                far = middle
            else:
                near = middle
        return far
