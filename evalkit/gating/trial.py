"""One target under way: its documents in the order drawn, the answers so far, and what they say at a round's end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison import FLAGS, Lines, Pairs, Target, figure, incomparable_flags, measure, pair
from evalkit.errors import NotComparable
from evalkit.gating.finished import check_drop
from evalkit.gating.verdict import Bound, Verdict
from evalkit.policy import TaskPolicy
from evalkit.results import Run
from evalkit.stats import ConfidenceSequence, Drawing, draw, looks

__all__ = ["Trial", "trial"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-4
"""A figure written with four digits is still the mean of its rows."""


@dataclass(slots=True)
class Trial:
    """One target under way. Positions are places in `pairs`."""

    target: Target
    policy: TaskPolicy
    pairs: Pairs
    documents: tuple[tuple[str, int], ...]
    """Task and doc_id at each position. A document that gets several verdicts stands there several times, in order."""
    ends: tuple[float, float]
    """The metric's range; better is higher, whatever the metric."""
    drawing: Drawing
    in_full: str | None = None
    """Why this target is not looked at early, or no more."""
    looked_at: bool = True
    done: int = 0
    """Rounds that are complete."""
    p_above: float = 1.0
    p_below: float = 1.0
    sure: Verdict | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Kinds of trouble with answers that the baseline does not know, each with the reason."""
    _schedule: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def active(self) -> bool:
        return self.in_full is None and self.sure is None and self.done < self.drawing.rounds

    @property
    def size(self) -> int:
        return len(set(self.documents))

    @property
    def used(self) -> int:
        """Documents in the rounds that are complete."""
        return self.size if self.in_full else len({self.documents[i] for i in self.drawing.drawn(self.done)})

    @property
    def complete(self) -> bool:
        return self.used == self.size

    def upcoming(self) -> list[int]:
        """Positions of the next look's documents, in the order drawn; all of them where nothing is looked at early."""
        if self.in_full:
            return list(range(len(self.documents)))
        return [int(i) for order in self.drawing.order[self.done : self._next()] for i in order]

    def record(self, position: int, value: float | None, flags: Sequence[str]) -> None:
        known = value is not None and math.isfinite(value) and "missing" not in flags
        self.pairs.candidate[position] = value if known else np.nan
        self.pairs.candidate_flags[position] = sum(FLAGS.get(flag, 0) for flag in set(flags))
        low, high = sorted(self.target.sign * end for end in self.ends)
        if known and value is not None and not low - 1e-9 <= value <= high + 1e-9 and self.sure is None:
            self.in_full = f"a document has {value:g}, and the metric was taken to go from {low:g} to {high:g}"

    def look(self) -> None:
        """Another stretch of rounds is complete: read what they say together."""
        if self.in_full:
            return
        self.done = self._next()
        worst, best = self.margins()
        at = -self.absolute
        self.p_above = min(self.p_above, self._sequence(worst).p_above(worst[0], self.done, at))
        self.p_below = min(self.p_below, self._sequence(best).p_below(best[0], self.done, at))

    def _next(self) -> int:
        self._schedule = self._schedule or looks(self.drawing.rounds)
        return next(done for done in self._schedule if done > self.done)

    # ── what is tested ───────────────────────────────────────────────────────

    @property
    def relative(self) -> float:
        return self.policy.max_drop.value if self.policy.max_drop.relative else 0.0

    @property
    def absolute(self) -> float:
        return 0.0 if self.policy.max_drop.relative else self.policy.max_drop.value

    def margins(self, relative: float | None = None) -> tuple[tuple[Floats, Floats, Floats], ...]:
        """For each document: its difference plus the drop that is tolerated; the least and the most that it can be.

        Returned twice: once with missing answers at their worst for the candidate, once at their best.
        """
        share = self.relative if relative is None else relative
        bottom, top = self.ends
        here, there = self.target.sign * self.pairs.baseline, self.target.sign * self.pairs.candidate
        differences = []
        for assumed_here, assumed_there in ((top, bottom), (bottom, top)):
            base = np.where(np.isfinite(here), here, assumed_here)
            tolerated = share * (base if base.mean() >= 0 else -base)
            value = np.where(np.isfinite(there), there, assumed_there) - base + tolerated
            differences.append((value, bottom - base + tolerated, top - base + tolerated))
        return tuple(differences)

    def _sequence(self, margin: tuple[Floats, Floats, Floats]) -> ConfidenceSequence:
        return ConfidenceSequence(self.drawing, margin[1], margin[2])

    def bounds(self, lower_alpha: float, upper_alpha: float, *, margin: bool) -> tuple[Bound, Bound]:
        """Of the difference, or of how much better than the tolerated figure it is."""
        worst, best = self.margins(None if margin else 0.0)
        shift = self.absolute if margin else 0.0
        low = self._sequence(worst).lower(worst[0], self.done, lower_alpha) + shift
        high = self._sequence(best).upper(best[0], self.done, upper_alpha) + shift
        return Bound(low, 1 - lower_alpha), Bound(high, 1 - upper_alpha)

    def drawn(self) -> Pairs:
        """The documents drawn so far, in the order of all."""
        kept = range(len(self.documents)) if self.in_full else np.sort(self.drawing.drawn(self.done))
        index = np.fromiter(kept, dtype=np.intp)
        pairs = self.pairs
        return replace(
            pairs,
            task=[pairs.task[i] for i in index],
            stratum=[pairs.stratum[i] for i in index],
            cluster=[pairs.cluster[i] for i in index],
            baseline=pairs.baseline[index],
            candidate=pairs.candidate[index],
            baseline_flags=pairs.baseline_flags[index],
            candidate_flags=pairs.candidate_flags[index],
            baseline_line=pairs.baseline_line[index],
            candidate_line=pairs.candidate_line[index],
        )


def trial(baseline: Run, target: Target, policy: TaskPolicy, lines: tuple[Lines, Lines], seed: Sequence[int]) -> Trial:
    """`lines`: the baseline's rows, and the candidate's documents without values. Every one must have a partner."""
    here, there = lines
    pairs = pair(here, there)
    if pairs.unpaired.total:
        raise NotComparable(
            f"{target.name}: not the documents that {baseline.run_id} answered ({'; '.join(pairs.unpaired.lines())});"
            " a run that stops early pairs all of them: run the baseline again with the same settings"
        )
    nothing = measure(target, replace(pairs, candidate=pairs.baseline))
    check_drop(nothing, policy)
    sign, ends = target.sign, nothing.ends
    documents = tuple((there.task[j], there.doc_id[j]) for j in pairs.candidate_line)
    why = None
    reported = figure(baseline, target.name, target.metric)
    if ends is None:
        why = f"{target.metric} has no known ends, so that no part of the documents bounds the rest"
    elif reported is None or abs(reported - nothing.baseline) > _ROUNDING * (ends[1] - ends[0]):
        why = f"{target.metric} is no mean over documents"
    low, high = ends or (0.0, 1.0)
    strata = [f"{task}\0{stratum or ''}" for task, stratum in zip(pairs.task, pairs.stratum, strict=True)]
    clusters = np.array(pairs.cluster, dtype=object)
    drawing = draw(len(documents), seed=seed, strata=strata, clusters=clusters, weights=_weights(target, pairs))
    if why is None and drawing.rounds < 2:
        why = f"{drawing.units:,} documents are too few for a look before the last of them"
    bounds = (low, high) if sign > 0 else (-high, -low)
    unknown = incomparable_flags(baseline, None, target.leaves)
    return Trial(target, policy, pairs, documents, bounds, drawing, why, looked_at=why is None, unknown=unknown)


def _weights(target: Target, pairs: Pairs) -> Floats | None:
    """As the gate's: documents count alike, or the tasks of a group do."""
    if target.by_size or len(target.leaves) == 1:
        return None
    _, inverse, counts = np.unique(np.array(pairs.task, dtype=str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse])
