"""A separate state of the global random generators, so that tasks draw the same numbers as in lm-eval."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

__all__ = ["Dice"]


class Dice:
    """`with dice.held():` uses this state instead of the process's own, and restores that one afterwards."""

    def __init__(self, random_seed: int, numpy_seed: int) -> None:
        import numpy

        self._random: Any = random.Random(random_seed).getstate()
        generator = numpy.random.RandomState(numpy_seed)
        self._numpy: Any = generator.get_state()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        import numpy

        outer = random.getstate(), numpy.random.get_state()
        random.setstate(self._random)
        numpy.random.set_state(self._numpy)
        try:
            yield
        finally:
            self._random, self._numpy = random.getstate(), numpy.random.get_state()
            random.setstate(outer[0])
            numpy.random.set_state(outer[1])
