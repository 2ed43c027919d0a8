"""The figures of a run as exporters send them, one record for each task or group and metric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.results import Metric, Run

__all__ = ["ExportedFigure", "figures_of"]


@dataclass(frozen=True, slots=True)
class ExportedFigure:
    task: str
    metric: str
    """As results.json has it: `exact_match,strict-match`."""
    value: float | None
    """None: not known, and `reason` says why."""
    stderr: float | None
    low: float | None
    """The ends of the 95% interval."""
    high: float | None
    n: int | None
    num_fewshot: int | None
    higher_is_better: bool | None
    is_group: bool
    requested: bool
    is_headline: bool
    reason: str | None
    record: Metric

    @property
    def name(self) -> str:
        """The metric without the filter where there is none: `acc`, `exact_match,strict-match`."""
        return self.metric.removesuffix(",none")

    def numbers(self) -> dict[str, float]:
        """All that is known of it, by a name: `acc`, `acc_stderr`, `acc_ci95_low`, `acc_ci95_high`."""
        named = {"": self.value, "_stderr": self.stderr, "_ci95_low": self.low, "_ci95_high": self.high}
        base, comma, filter_name = self.name.partition(",")
        return {f"{base}{end}{comma}{filter_name}": value for end, value in named.items() if value is not None}


def figures_of(run: Run) -> Iterator[ExportedFigure]:
    """Tasks and groups in the order asked for, then the members of groups."""
    results = run.record.results
    for name in dict.fromkeys([*run.requested, *results.groups, *results.tasks]):
        entry = results.entry(name)
        if entry is None:
            continue
        for metric, record in entry.metrics.items():
            low, high = record.ci95 or (None, None)
            value = _finite(record.value)
            yield ExportedFigure(
                task=name,
                metric=metric,
                value=value,
                stderr=_finite(record.stderr),
                low=_finite(low),
                high=_finite(high),
                n=entry.n,
                num_fewshot=entry.num_fewshot,
                higher_is_better=record.higher_is_better,
                is_group=name in results.groups,
                requested=name in run.requested,
                is_headline=metric == entry.headline or len(entry.metrics) == 1,
                reason=record.reason or (None if value is not None else "the run does not say why"),
                record=record,
            )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
