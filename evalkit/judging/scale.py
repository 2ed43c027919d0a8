"""Scales: the labels that a judge may give, with their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evalkit.errors import ConfigError, UsageError

__all__ = ["FARTHEST", "Scale", "parse_scales"]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
FARTHEST = 1e15
"""The largest distance of a rating from 0. Powers of it, which statistics need, still fit into a float."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high`, by label. A judge writes the label; the value is used in figures."""

    labels: Mapping[str, float]
    low: float = field(init=False)
    high: float = field(init=False)
    numeric: bool = field(init=False)
    """Whether each label is the number that is its value."""

    def __post_init__(self) -> None:
        if len(set(self.labels.values())) < 2:
            raise ConfigError(f"a scale needs two values at least, this one has {list(self.labels.values())}")
        object.__setattr__(self, "low", min(self.labels.values()))
        object.__setattr__(self, "high", max(self.labels.values()))
        numeric = all(_NUMBER.fullmatch(label) and float(label) == value for label, value in self.labels.items())
        object.__setattr__(self, "numeric", numeric)

    @classmethod
    def between(cls, low: float, high: float) -> Scale:
        """The whole numbers from low to high; both ends alone where they are not whole."""
        if not low < high:
            raise UsageError(f"a scale from {low:g} to {high:g}: the low end comes first")
        if not -FARTHEST <= low < high <= FARTHEST:
            raise UsageError(f"a scale from {low:g} to {high:g}: its ends lie within {FARTHEST:g} of 0")
        if float(low).is_integer() and float(high).is_integer() and high - low <= 1000:
            return cls({str(n): float(n) for n in range(int(low), int(high) + 1)})
        return cls({f"{low:g}": float(low), f"{high:g}": float(high)})

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def value_of(self, label: str) -> float | None:
        """The value of a label. If labels are numbers, a number between them is its own value."""
        if label in self.labels:
            return self.labels[label]
        folded = [value for name, value in self.labels.items() if name.casefold() == label.casefold()]
        if len(folded) == 1:
            return folded[0]
        if self.numeric and _NUMBER.fullmatch(label) and float(label) in self:
            return float(label)
        return None

    def describe(self) -> list[float]:
        return [self.low, self.high]


def parse_scales(text: str) -> dict[str, Scale]:
    """`naturalness=1:3,groundedness=0:1`; a lone `1:5` is the scale of every dimension, under the name `*`."""
    scales: dict[str, Scale] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, span = part.rpartition("=")
        low, colon, high = span.partition(":")
        try:
            if not colon:
                raise ValueError
            scales[name.strip() if equals else "*"] = Scale.between(float(low), float(high))
        except ValueError:
            raise UsageError(
                f"--scale {text}: {part!r} is not dimension=low:high, as in naturalness=1:3,groundedness=0:1"
            ) from None
    if not scales:
        raise UsageError("--scale is empty: give dimension=low:high, as in naturalness=1:3,groundedness=0:1")
    return scales
