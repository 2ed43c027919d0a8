"""What a curve says: its best point, whether the last is worse, since when, and which point is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.curves.evidence import Evidence

__all__ = ["Verdict", "decide"]

Against = Literal["better", "worse"] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Places of points in their order."""

    best: int
    declined: bool | None
    """None: nothing is known of the error of the best or of the last point."""
    by: float
    """How much worse the last is than the best at least, where it is."""
    declined_from: int | None
    worse_from: int | None
    enough: int
    against: tuple[Against, ...]


def decide(values: Sequence[float | None], evidence: Evidence, *, tolerance: float, outside: bool = False) -> Verdict:
    """Judge oriented values (more is better), of which the last is known. `outside`: a baseline follows the points.

    All bounds that this uses hold together, so that of curves without any change at most 5% are called changed.
    """
    points = evidence.points
    measured = [k for k in range(points) if values[k] is not None]
    # Of equal points the first: it cost the least.
    best = max(measured, key=lambda k: (_value(values, k), -k))
    last = points - 1
    later = [k for k in measured if k > best]
    below = {k: evidence.lower(best, k) for k in later}
    judged = evidence.band(best) is not None and evidence.band(last) is not None
    reference = points if outside else measured[0]
    against = tuple(_against(evidence, k, reference) if values[k] is not None else None for k in range(points))
    return Verdict(
        best=best,
        declined=(last in below and below[last] > 0) if judged else None,
        by=below.get(last, 0.0),
        declined_from=_from_here_on(later, lambda k: below[k] > 0),
        worse_from=_from_here_on(measured, lambda k: against[k] == "worse"),
        enough=next((k for k in measured if k < best and evidence.lower(k, best) >= -tolerance), best),
        against=against,
    )


def _value(values: Sequence[float | None], k: int) -> float:
    value = values[k]
    assert value is not None
    return value


def _against(evidence: Evidence, k: int, reference: int) -> Against:
    if k == reference:
        return None
    if evidence.lower(k, reference) > 0:
        return "better"
    return "worse" if evidence.lower(reference, k) > 0 else None


def _from_here_on(places: Sequence[int], holds: Callable[[int], bool]) -> int | None:
    """The first place from which on it holds without a break to the end."""
    earliest = None
    for k in reversed(places):
        if not holds(k):
            break
        earliest = k
    return earliest
