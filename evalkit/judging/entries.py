"""Judged figures into results.json: of every task that was judged, and of the groups over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.judging.caps import beside
from evalkit.judging.figures import Design, metric_entries
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.rubric import Rubric
from evalkit.results import Run

__all__ = ["Entries", "leaves_of"]


@dataclass(frozen=True, slots=True)
class Entries:
    """What was found, ready to be put beside a run's other figures."""

    rubric: Rubric
    judges: Sequence[Judge]
    said: Sequence[Judgment]
    """As the judges gave it."""
    counted: Sequence[Judgment]
    """The same, capped where a check had failed."""
    design: Design
    disagreement: Mapping[str, float]
    calibration: Mapping[str, Any] | None

    def tasks(self, run: Run) -> dict[str, dict[str, Any]]:
        return {
            name: self._beside(entry, self._figures([name], self.design)) if name in self._judged else dict(entry)
            for name, entry in run.tasks.items()
        }

    def groups(self, run: Run) -> dict[str, dict[str, Any]]:
        """A group that has figures gets the judge's, where all of its tasks were judged; an older one goes else."""
        # Each task is a stratum, whether its own figure has strata or none.
        by_task = {place: (stratum or place[0], cluster) for place, (stratum, cluster) in self.design.items()}
        found = {}
        for name, entry in run.groups.items():
            leaves = set(leaves_of(run, name))
            if not entry.get("metrics") or not leaves & self._judged:
                found[name] = dict(entry)
            else:
                whole = leaves <= self._judged
                found[name] = self._beside(entry, self._figures(sorted(leaves), by_task) if whole else {})
        return found

    @property
    def _judged(self) -> set[str]:
        return {judgment.item.task for judgment in self.counted}

    def _beside(self, entry: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
        old = {k: v for k, v in (entry.get("metrics") or {}).items() if k.partition(",")[2] != self.rubric.id}
        return {**entry, "metrics": {**old, **figures}}

    def _figures(self, tasks: Sequence[str], design: Design) -> dict[str, dict[str, Any]]:
        counted, said = ([j for j in given if j.item.task in tasks] for given in (self.counted, self.said))
        figures = self._metrics(counted, design)
        failed = Counter(
            f"{j.dimension},{self.rubric.id}" for j in counted if j.item.failed_check and j.score is not None
        )
        if not failed or self.rubric.kind == "pairwise":
            return figures
        return beside(figures, self._metrics(said, design), failed)

    def _metrics(self, judgments: Sequence[Judgment], design: Design) -> dict[str, dict[str, Any]]:
        return metric_entries(judgments, self.rubric, self.judges, design, self.disagreement, self.calibration)


def leaves_of(run: Run, name: str) -> list[str]:
    """The tasks under a group, each once."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        members = [str(member) for member in (run.groups.get(at) or {}).get("members") or ()]
        if members:
            waiting += reversed(members)
        else:
            found[at] = None
    return list(found)
