"""Chooses which games to play next, and says when the order of the models is sure.

Only neighbours in rank need to be told apart: if a is above b and b above c, a is above c. So the next games go to the
neighbours whose order is least certain, until it is settled or a full design would most likely not settle it either. A
pair is separated by the ratings' standardised difference, or by the games of the two alone (Hoeffding 1963, JASA 58:13,
theorem 1). Every look spends a part of the error of 5% that is allowed for all pairs and looks together (Lan & DeMets
1983, Biometrika 70:659, with Pocock's boundary), so that looking often makes no rank surer than it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from evalkit.ranking.arena.precision import Precision, precision_of

__all__ = ["Draw", "Fixture"]

Floats = NDArray[np.float64]

_FIRST = 6
"""Games of each pair that starts."""
_GROWTH = 0.25
"""New games of a round, as a share of those played."""
_ALL_PAIRS = 15
_ENOUGH = 30
"""Games for each model before a pair is given up."""
_HOPE = 0.25
"""A pair is given up where a full design would settle it with a smaller probability than this."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """A game to play: two models, by number, on a prompt."""

    first: int
    second: int
    prompt: str


@dataclass(slots=True)
class Draw:
    """The games of several models that are played and to be played."""

    models: int
    prompts: dict[tuple[int, int], list[str]]
    """For each pair (i < j) the prompts that both answered, in the order in which they are to be played."""
    alpha: float = 0.05
    top: int | None = None
    """How many ranks from the first on have to be sure; None: all."""
    above: NDArray[np.bool_] = field(init=False)
    """above[i, j]: i is surely above j, by what was seen at any look."""
    _played: dict[tuple[int, int], int] = field(init=False)
    _games: list[tuple[int, int, int, float]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _spent: float = 0.0
    _computed: tuple[int, Precision] | None = None

    def __post_init__(self) -> None:
        self.above = np.zeros((self.models, self.models), dtype=bool)
        self._played = dict.fromkeys(self.prompts, 0)

    @classmethod
    def shuffled(cls, models: int, prompts: dict[tuple[int, int], Sequence[str]], seed: int, **more: object) -> Draw:
        """A draw in which each pair has its prompts in a random order of its own."""
        mixed = {}
        for pair in sorted(prompts):
            order = sorted(prompts[pair])
            random.Random(f"{seed} {pair}").shuffle(order)
            mixed[pair] = order
        return cls(models, mixed, **more)  # type: ignore[arg-type]

    @property
    def total(self) -> int:
        """The games of a full design."""
        return sum(map(len, self.prompts.values()))

    @property
    def played(self) -> int:
        return sum(self._played.values())

    def record(self, fixture: Fixture, points: float | None) -> None:
        """Take the result of a game: the points of the first model, from 0 to 1, or None where there is no verdict."""
        if points is not None:
            number = self._numbers.setdefault(fixture.prompt, len(self._numbers))
            self._games.append((fixture.first, fixture.second, number, points))

    def everything(self) -> list[Fixture]:
        """All games that are left."""
        return self._take({pair: len(self.prompts[pair]) for pair in self.prompts})

    def next(self, most: int | None = None) -> list[Fixture]:
        """The next round; empty where the ranks are sure or no game is left. `most`: games that may still be played."""
        if not self.played:
            wanted = dict.fromkeys(self._first_pairs(), _FIRST)
        else:
            self.look()
            if not self._open():
                return []
            wanted = self._wanted(max(math.ceil(self.played * _GROWTH), self.models))
        fixtures = self._take(wanted)
        return fixtures if most is None else fixtures[: max(most, 0)]

    @property
    def sure(self) -> bool:
        """Whether the ranks that are asked for are settled."""
        return not self._unsettled()

    # ── inside ───────────────────────────────────────────────────────────────

    def _first_pairs(self) -> list[tuple[int, int]]:
        """The pairs of the first round: all if there are few, else each model against its next three in a circle."""
        if len(self.prompts) <= _ALL_PAIRS:
            return sorted(self.prompts)
        near = {tuple(sorted((i, (i + k) % self.models))) for i in range(self.models) for k in (1, 2, 3)}
        return [pair for pair in sorted(self.prompts) if pair in near] or sorted(self.prompts)

    def _take(self, wanted: dict[tuple[int, int], int]) -> list[Fixture]:
        """Take the next games of these pairs, one of each pair in turn."""
        chosen: list[tuple[int, Fixture]] = []
        for pair, count in wanted.items():
            start = self._played[pair]
            prompts = self.prompts[pair][start : start + count]
            chosen += [(number, Fixture(*pair, prompt)) for number, prompt in enumerate(prompts)]
            self._played[pair] += len(prompts)
        return [fixture for _, fixture in sorted(chosen, key=lambda one: one[0])]

    def play(self, fixtures: Sequence[Fixture]) -> None:
        """Count games as handed out that the caller chose itself."""
        for fixture in fixtures:
            self._played[fixture.first, fixture.second] += 1

    def look(self) -> None:
        """Mark the pairs that the games played so far separate, and spend a part of the allowed error."""
        now = self._precision()
        share = min(self.played / max(self.total, 1), 1.0)
        allowed = self.alpha * math.log(1 + (math.e - 1) * share)
        error = max(allowed - self._spent, 0.0)
        self._spent = max(allowed, self._spent)
        pairs = self.models * (self.models - 1) / 2
        if error <= 0:
            return
        limit = -float(ndtri(error / pairs / 2))
        gap = now.ratings[:, None] - now.ratings[None, :]
        sure = (gap > limit * now.spread) & (now.spread > 0)
        sure |= self._decided(error / pairs)
        # A pair whose order was sure once is neither opened again nor turned round.
        self.above = _closed(self.above | (sure & ~self.above.T))

    def _decided(self, error: float) -> NDArray[np.bool_]:
        """Pairs whose own games alone show who wins more often."""
        i, j, _, points = self._columns()
        won = np.zeros((self.models, self.models))
        np.add.at(won, (i, j), points)
        np.add.at(won, (j, i), 1 - points)
        n = won + won.T
        mean = np.clip(np.divide(won, n, out=np.full_like(n, 0.5), where=n > 0), 1e-12, 1 - 1e-12)
        distance = mean * np.log(2 * mean) + (1 - mean) * np.log(2 * (1 - mean))
        return np.asarray((mean > 0.5) & (n * distance > math.log(2 / error)))

    def _precision(self) -> Precision:
        """Ratings and their precision by the games so far, computed once after each round."""
        if self._computed is None or self._computed[0] != len(self._games):
            self._computed = len(self._games), precision_of(*self._columns(), self.models)
        return self._computed[1]

    def _columns(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Floats]:
        """First model, second model, prompt and points of each game."""
        table = np.array(self._games, float).reshape(-1, 4)
        first, second, prompts = (table[:, column].astype(np.intp) for column in range(3))
        return first, second, prompts, table[:, 3]

    def _unsettled(self) -> list[tuple[int, int]]:
        """Neighbours in rank whose order is not sure, best rank first."""
        ratings = self._precision().ratings if self._games else np.zeros(self.models)
        order = sorted(range(self.models), key=lambda i: (-int(self.above[i].sum()), -ratings[i], i))
        last = self.models - 1 if self.top is None else min(self.top, self.models - 1)
        if last < self.models - 1:
            # The last rank that has to be sure is so only where its model is above all that follow.
            return [
                (a, b)
                for number, a in enumerate(order[:last])
                for b in (order[number + 1 : number + 2] if number < last - 1 else order[last:])
                if not self.above[a, b]
            ]
        return [(a, b) for a, b in pairwise(order[: last + 1]) if not self.above[a, b]]

    def _open(self) -> list[tuple[int, int]]:
        """The unsettled neighbours that the games left may still settle."""
        return [pair for pair in self._unsettled() if not self._beyond_hope(*pair)]

    def _beyond_hope(self, a: int, b: int) -> bool:
        """Whether a full design would most likely not separate the two models either."""
        now = self._precision()
        if not np.isfinite(now.spread[a, b]) or self.played < _ENOUGH * self.models:
            return False
        prompts = len(self.prompts.get((min(a, b), max(a, b)), ()))
        pairs = self.models * (self.models - 1) / 2
        limit = -float(ndtri(max(self.alpha - self._spent, 1e-12) / pairs / 2))
        return now.chance_of_separating(a, b, prompts, limit) < _HOPE

    def _wanted(self, games: int) -> dict[tuple[int, int], int]:
        """The games of the next round: those that make the open differences most precise."""
        left = {pair: len(prompts) - self._played[pair] for pair, prompts in self.prompts.items()}
        return self._precision().best_games(self._open(), left, games)


def _closed(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The transitive closure: who is above a model is above all that are below it."""
    while True:
        more = above | ((above.astype(int) @ above.astype(int)) > 0)
        if (more == above).all():
            return np.asarray(more)
        above = np.asarray(more)
