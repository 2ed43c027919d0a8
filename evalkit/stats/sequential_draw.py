"""The order in which documents are drawn: at random, every stratum in proportion at the end of each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.stats.cluster import codes

__all__ = ["Drawing", "draw", "looks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_MOST_ROUNDS = 40
_SMALLEST_ROUND = 24
"""Documents: fewer would keep a batch waiting for a look that hardly ever decides."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Units in rounds. A unit is a document, or all documents of one source, which stand or fall together."""

    order: tuple[Ints, ...]
    """The documents of each round, in the order drawn; together every document once."""
    unit: Ints
    """Of each document, the number of its unit."""
    weights: Floats
    """Of each document in the mean; on average 1."""
    slots: int
    """Units per round, where no slot has run out."""

    @property
    def rounds(self) -> int:
        return len(self.order)

    @property
    def units(self) -> int:
        return int(self.unit.max(initial=-1)) + 1

    @property
    def unit_weights(self) -> Floats:
        return self.unit_totals(np.ones(self.unit.size))

    def unit_totals(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.unit, self.weights * values, minlength=self.units), float)

    def drawn(self, done: int) -> Ints:
        """The documents of the first rounds, in the order drawn."""
        return np.concatenate(self.order[:done]) if done else np.empty(0, dtype=np.intp)

    def tally(self, values: Floats, done: int) -> tuple[Floats, Floats, Floats]:
        """What units came to in the first rounds: distinct totals, their weights, and how often each round had them."""
        kept = np.where(np.isin(np.arange(self.unit.size), self.drawn(done)), values, 0.0)
        pairs = np.stack([self.unit_totals(kept), self.unit_weights], axis=1)
        rounds = [np.unique(self.unit[documents]) for documents in self.order[:done]]
        distinct, place = np.unique(pairs[np.concatenate(rounds)], axis=0, return_inverse=True)
        owner = np.repeat(np.arange(done), [units.size for units in rounds])
        counts = np.bincount(owner * len(distinct) + place.reshape(-1), minlength=done * len(distinct))
        return distinct[:, 0], distinct[:, 1], counts.reshape(done, len(distinct)).astype(float)


def draw(
    n: int,
    *,
    seed: int | Sequence[int],
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    rounds: int | None = None,
) -> Drawing:
    """A random order of n documents in rounds, each of which takes from every stratum in proportion.

    Units stand side by side by stratum, at random within it, and are cut into slots with one place per round; a round
    draws one place from each slot, without replacement. What is left of the places is spread at random, and empty.
    """
    dice = np.random.default_rng(seed)
    stratum = _numbered(strata, n)
    cluster = codes(clusters, n)
    unit = np.arange(n, dtype=np.intp)
    if cluster is not None:
        # A source that stands in two strata is a unit in each.
        unit = np.unique(stratum * n + cluster, return_inverse=True)[1].reshape(-1)
    units = n if cluster is None else int(unit.max(initial=-1)) + 1
    of_unit = np.zeros(units, dtype=np.intp)
    of_unit[unit] = stratum
    count = rounds or min(_MOST_ROUNDS, max(1, units // _SMALLEST_ROUND))
    slots = -(-units // count)
    line = np.full(slots * count, -1, dtype=np.intp)
    shuffled = dice.permutation(units)
    places = np.sort(dice.permutation(slots * count)[:units])
    line[places] = shuffled[np.argsort(of_unit[shuffled], kind="stable")]
    table = dice.permuted(line.reshape(slots, count), axis=1)
    table = dice.permutation(table, axis=0)
    order = tuple(column[column >= 0] for column in table.T)
    if cluster is not None:
        by_unit = np.argsort(unit, kind="stable")
        starts = np.searchsorted(unit[by_unit], np.arange(units + 1))
        documents = [by_unit[a:b] for a, b in pairwise(starts)]
        order = tuple(np.concatenate([by_unit[:0], *(documents[u] for u in drawn)]) for drawn in order)
    raw = np.ones(n) if weights is None else np.asarray(weights, float)
    return Drawing(order, unit, raw * (n / raw.sum()), slots)


def _numbered(labels: ArrayLike | None, n: int) -> Ints:
    if labels is None:
        return np.zeros(n, dtype=np.intp)
    raw = np.asarray(labels)
    if raw.dtype.kind not in "iu":
        raw = np.array(["" if label is None else str(label) for label in raw.astype(object)])
    return np.unique(raw, return_inverse=True)[1].reshape(-1).astype(np.intp)


def looks(rounds: int) -> list[int]:
    """After how many rounds to look: each at first, then at every fifth more, since a batch for each is slow."""
    done, out = 0, []
    while done < rounds:
        done = min(rounds, done + max(1, round(done / 5)))
        out.append(done)
    return out
