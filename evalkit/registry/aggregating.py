"""Makes a task's figures from the rows of its documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.registry.contributions import Contributor, corpus_interval
from evalkit.registry.figures import figure
from evalkit.registry.language import IN_KOREAN
from evalkit.registry.reading import SPAN
from evalkit.registry.readingfigures import ratio
from evalkit.registry.sampling import figure_of_samples
from evalkit.registry.scorers import TaskScorer
from evalkit.scoring import samples as several_answers
from evalkit.types import Figure, Row

__all__ = ["Aggregator", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A group of a task's documents."""

    strata: tuple[str, ...]
    figures: dict[str, Figure]
    n: int
    missing: int


@dataclass(frozen=True, slots=True)
class Aggregator:
    """Aggregates as lm-eval's Task object says, and adds evalkit's own figures."""

    task: Any
    name: str
    scorer: TaskScorer | None
    filters: Sequence[str]
    metric_names: Sequence[str]
    higher_is_better: Callable[[str], bool | None]

    def aggregate(self, rows: Sequence[Row]) -> dict[str, Figure]:
        """lm-eval's figures over the documents that have a value."""
        figures = self._figures(rows)
        for metric in self.scorer.parts_only if self.scorer is not None else ():
            for name in [name for name in figures if name.partition(",")[0] == metric]:
                figures[name] = Figure(
                    None, higher_is_better=figures[name].higher_is_better, reason="each group has its own"
                )
        return figures

    def with_contributions(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what each document adds to the task's figures of all documents together."""
        return Contributor(self.task.aggregation(), self.scorer.counted_by if self.scorer else {}).applied(rows)

    def _figures(self, rows: Sequence[Row]) -> dict[str, Figure]:
        values: dict[tuple[str, str], list[Any]] = {}
        count = next((len(row.samples.scores) for row in rows if row.samples is not None), 0)
        # In document order, since the last bit of a sum of floats depends on the order.
        rows = sorted(rows, key=lambda row: row.doc_id)
        for filter_name in self.filters:
            for row in rows:
                if row.filter == filter_name:
                    for metric, value in row.metrics.items():
                        kept = values.setdefault((metric, filter_name), [])
                        if value is not None:
                            kept.append(value)
        added = [row for row in rows if row.corpus] or self.with_contributions(rows)
        out = {}
        for (metric, name), kept in values.items():
            if metric.startswith("var@") and several_answers.is_figure(metric, count):
                continue
            ours = several_answers.is_figure(metric, count) and metric not in self.metric_names
            mine = [row for row in rows if row.filter == name]
            entry = figure_of_samples(metric, mine, self.higher_is_better) if ours else self._figure(metric, kept)
            if self.scorer is not None and metric in self.scorer.best_at:
                entry = replace(entry, best_at=self.scorer.best_at[metric])
            out[f"{metric},{name}"] = corpus_interval(entry, metric, [row for row in added if row.filter == name])
        return out

    def parts(self, rows: Sequence[Row]) -> dict[str, Part]:
        """The groups of documents that the task's scorer makes, with their figures, in order of the documents.

        A group without any answered document is left out.
        """
        if self.scorer is None or self.scorer.stratum is None:
            return {}
        strata: dict[str, dict[str, None]] = {}
        by_part: dict[str, list[Row]] = {}
        for row in rows:
            for part in self.scorer.parts(row.stratum) if row.stratum is not None else ():
                strata.setdefault(f"{self.name}_{part}", {})[str(row.stratum)] = None
                by_part.setdefault(f"{self.name}_{part}", []).append(row)
        return {
            name: Part(tuple(strata[name]), self._figures(mine), *_counts(mine))
            for name, mine in by_part.items()
            if not all("missing" in row.flags for row in mine)
        }

    def _figure(self, metric: str, values: list[Any]) -> Figure:
        from evalkit.registry import lmeval

        better = self.higher_is_better(metric)
        if not values:
            return Figure(None, higher_is_better=better, reason="no document has a value")
        try:
            own = ratio if metric in (IN_KOREAN, SPAN) else None
            value, stderr = (own(values), None) if own else lmeval.aggregate(self.task, metric, values)
        except Exception as error:
            return Figure(None, higher_is_better=better, reason=f"the aggregation failed: {lmeval.say(error)}")
        return figure(value, stderr, values, better, metric)


def _counts(rows: Sequence[Row]) -> tuple[int, int]:
    """The numbers of documents with an answer and without one."""
    documents = {row.doc_id for row in rows}
    missing = {row.doc_id for row in rows if "missing" in row.flags}
    unscored = missing | {row.doc_id for row in rows if "error" in row.flags}
    return len(documents - unscored), len(missing)
