"""Puts the judges' figures into results.json, for every judged task and for the groups over them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evalkit.judging.caps import beside
from evalkit.judging.figures import Design, metric_entries
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.reports import CalibrationNote
from evalkit.judging.rubric import Rubric
from evalkit.results import GroupResult, Metric, Results, Run, TaskResult, filter_of, judge_names, with_entries

__all__ = ["Entries", "Opinion", "leaves_of"]

E = TypeVar("E", TaskResult, GroupResult)


@dataclass(frozen=True, slots=True)
class Opinion:
    """The judgments that make one figure for each dimension: those of one judge, or of several taken together."""

    judges: Sequence[Judge]
    given: Sequence[Judgment]
    """The judgments as the judges gave them."""
    counted: Sequence[Judgment]
    """The same, capped if a check had failed."""
    disagreement: Mapping[str, float]
    records: Sequence[CalibrationNote]
    """Of calibration, the newest first; or a reason why there are none."""

    def filter(self, rubric: Rubric) -> str:
        return filter_of(rubric.id, [judge.name for judge in self.judges])


@dataclass(frozen=True, slots=True)
class Entries:
    """The judges' figures, ready to be put beside a run's other figures."""

    rubric: Rubric
    opinions: Sequence[Opinion]
    design: Design

    def put_into(self, run: Run) -> Results:
        """The run's figures with the judges' beside them."""
        return with_entries(run.record.results, self._tasks(run), self._groups(run))

    def _tasks(self, run: Run) -> dict[str, TaskResult]:
        return {
            name: self._beside(task, self._figures([name], self.design)) if name in self._judged else task
            for name, task in run.record.results.tasks.items()
        }

    def _groups(self, run: Run) -> dict[str, GroupResult]:
        """Add the judge's figures to each group whose tasks were all judged; older ones of other groups are removed."""
        # Each task is a stratum, whether its own figure has strata or none.
        by_task = {place: (stratum or place[0], cluster) for place, (stratum, cluster) in self.design.items()}
        groups = {}
        for name, group in run.record.results.groups.items():
            leaves = set(leaves_of(run, name))
            if group.metrics and leaves & self._judged:
                whole = leaves <= self._judged
                group = self._beside(group, self._figures(sorted(leaves), by_task) if whole else {})
            groups[name] = group
        return groups

    @property
    def _judged(self) -> set[str]:
        return {judgment.item.task for opinion in self.opinions for judgment in opinion.counted}

    def replaced_filters(self, run: Run) -> dict[str, set[str]]:
        """For each task that was judged now, the filters of the earlier figures that rest on a judge asked again."""
        replaced: dict[str, set[str]] = defaultdict(set)
        tasks = run.record.results.tasks
        for name in self._judged & set(tasks):
            metrics = tasks[name].metrics
            replaced[name] |= {key.partition(",")[2] for key, metric in metrics.items() if self._replaces(metric)}
        return replaced

    def _replaces(self, metric: Metric) -> bool:
        """Whether an earlier figure is of this rubric and of a judge that was asked again."""
        names = judge_names(metric)
        asked = {judge.name for opinion in self.opinions for judge in opinion.judges}
        return names is not None and names[0] == self.rubric.id and bool(asked & set(names[1]))

    def _beside(self, entry: E, figures: Mapping[str, Metric]) -> E:
        old = {key: metric for key, metric in entry.metrics.items() if not self._replaces(metric)}
        return entry.model_copy(update={"metrics": {**old, **figures}})

    def _figures(self, tasks: Sequence[str], design: Design) -> dict[str, Metric]:
        return {
            key: figure for opinion in self.opinions for key, figure in self._figures_of(opinion, tasks, design).items()
        }

    def _figures_of(self, opinion: Opinion, tasks: Sequence[str], design: Design) -> dict[str, Metric]:
        counted, given = (
            [judgment for judgment in judgments if judgment.item.task in tasks]
            for judgments in (opinion.counted, opinion.given)
        )
        figures = self._metrics(opinion, counted, design)
        filter_name = opinion.filter(self.rubric)
        failed = Counter(f"{j.dimension},{filter_name}" for j in counted if j.item.failed_check and j.score is not None)
        if not failed or self.rubric.kind == "pairwise":
            return figures
        return beside(figures, self._metrics(opinion, given, design), failed)

    def _metrics(self, opinion: Opinion, judgments: Sequence[Judgment], design: Design) -> dict[str, Metric]:
        return metric_entries(judgments, self.rubric, opinion.judges, design, opinion.disagreement, opinion.records)


def leaves_of(run: Run, name: str) -> list[str]:
    """The tasks under a group, each once."""
    leaves: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        group = run.record.results.groups.get(at)
        if group and group.members:
            waiting += reversed(group.members)
        else:
            leaves[at] = None
    return list(leaves)
