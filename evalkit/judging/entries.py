"""Judged figures into results.json: of every task that was judged, and of the groups over them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.judging.caps import beside
from evalkit.judging.figures import Design, metric_entries
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.rubric import Rubric
from evalkit.results import Run, filter_of, judge_names

__all__ = ["Entries", "Opinion", "leaves_of"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """The judgments that make one figure for each dimension: those of one judge, or of several taken together."""

    judges: Sequence[Judge]
    said: Sequence[Judgment]
    """As the judges gave it."""
    counted: Sequence[Judgment]
    """The same, capped where a check had failed."""
    disagreement: Mapping[str, float]
    calibration: Mapping[str, Any] | None

    def filter(self, rubric: Rubric) -> str:
        return filter_of(rubric.id, [judge.name for judge in self.judges])


@dataclass(frozen=True, slots=True)
class Entries:
    """What was found, ready to be put beside a run's other figures."""

    rubric: Rubric
    opinions: Sequence[Opinion]
    design: Design

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
        return {judgment.item.task for opinion in self.opinions for judgment in opinion.counted}

    def replaced_filters(self, run: Run) -> dict[str, set[str]]:
        """For each task that was judged now, the filters of the earlier figures that rest on a judge asked again."""
        found: dict[str, set[str]] = defaultdict(set)
        for name in self._judged & set(run.tasks):
            metrics = run.tasks[name].get("metrics") or {}
            found[name] |= {key.partition(",")[2] for key, metric in metrics.items() if self._replaces(metric)}
        return found

    def _replaces(self, metric: Any) -> bool:
        said = judge_names(metric)
        asked = {judge.name for opinion in self.opinions for judge in opinion.judges}
        return said is not None and said[0] == self.rubric.id and bool(asked & set(said[1]))

    def _beside(self, entry: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
        old = {k: v for k, v in (entry.get("metrics") or {}).items() if not self._replaces(v)}
        return {**entry, "metrics": {**old, **figures}}

    def _figures(self, tasks: Sequence[str], design: Design) -> dict[str, dict[str, Any]]:
        return {
            key: figure for opinion in self.opinions for key, figure in self._figures_of(opinion, tasks, design).items()
        }

    def _figures_of(self, opinion: Opinion, tasks: Sequence[str], design: Design) -> dict[str, dict[str, Any]]:
        counted, said = ([j for j in given if j.item.task in tasks] for given in (opinion.counted, opinion.said))
        figures = self._metrics(opinion, counted, design)
        filter_name = opinion.filter(self.rubric)
        failed = Counter(f"{j.dimension},{filter_name}" for j in counted if j.item.failed_check and j.score is not None)
        if not failed or self.rubric.kind == "pairwise":
            return figures
        return beside(figures, self._metrics(opinion, said, design), failed)

    def _metrics(self, opinion: Opinion, judgments: Sequence[Judgment], design: Design) -> dict[str, dict[str, Any]]:
        return metric_entries(judgments, self.rubric, opinion.judges, design, opinion.disagreement, opinion.calibration)


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
