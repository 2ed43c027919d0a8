"""The figures of a log of inspect_ai: one for each scorer, each of its values, each way of reducing epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.results.foreign.inspect_log import Log
from evalkit.results.foreign.reading import finite, listed, mapping, named
from evalkit.results.record import Metric
from evalkit.types import JsonObject

__all__ = ["View", "expected", "headline_of", "read_views", "reported"]

_MEANS = ("accuracy", "mean")
_SPREADS = ("stderr", "bootstrap_stderr")


@dataclass(frozen=True, slots=True)
class View:
    """One table of figures in a log: a scorer, one of its values, brought together over epochs in one way."""

    scorer: str
    name: str
    reducer: str | None
    metrics: Mapping[str, JsonObject]

    @property
    def filter(self) -> str:
        whole = self.name if self.name == self.scorer else f"{self.scorer}/{self.name}"
        return whole if self.reducer is None else f"{whole}:{self.reducer}"

    @property
    def clustered_by(self) -> str | None:
        params = (metric.get("params") for metric in self.metrics.values())
        keys = (given.get("cluster") for given in params if isinstance(given, dict))
        return next((key for key in keys if isinstance(key, str)), None)

    @property
    def means(self) -> dict[str, JsonObject]:
        """The figures that are means of a number for each sample, by name."""
        return {_plain(key): metric for key, metric in self.metrics.items() if _counted(metric)}


def read_views(log: Log) -> list[View]:
    place = f"{log.path}: results.scores"
    views = []
    for content in listed(log.results.get("scores"), place):
        score = mapping(content, place)
        metrics = mapping(score.get("metrics"), place)
        reducer = score.get("reducer")
        views.append(
            View(
                named(score.get("scorer") or score.get("name"), f"{place}: scorer"),
                named(score.get("name"), f"{place}: name"),
                None if reducer is None else named(reducer, f"{place}: reducer"),
                {named(key, f"{place}: a metric"): mapping(metric, place) for key, metric in metrics.items()},
            )
        )
    return views


def reported(view: View) -> dict[str, Metric]:
    spread = next((metric for metric in view.metrics.values() if _base(metric) in _SPREADS), None)
    figures: dict[str, Metric] = {}
    for key, metric in view.metrics.items():
        if metric is spread:
            continue
        value = finite(metric, "value")
        figure: dict[str, Any] = {"value": value}
        if value is None:
            figure["reason"] = f"inspect_ai wrote {metric.get('value')!r}: nothing was scored, or the metric failed"
        if _base(metric) in _MEANS:
            figure["stderr"] = None if spread is None else finite(spread, "value")
        if _base(metric) == "accuracy":
            figure["higher_is_better"] = True
        figures[_name(key, view)] = Metric.model_validate(figure)
    return figures


def expected(log: Log) -> dict[str, Metric]:
    """The figures that there would be, had the log come to its end."""
    what = "no sample was scored" if log.status == "success" else f"the log's status is {log.status}"
    reason = f"{what}, and it has no figures: `inspect eval-retry` completes it"
    figures: dict[str, Metric] = {}
    for content in listed(log.spec.get("scorers"), f"{log.path}: scorers"):
        scorer = mapping(content, f"{log.path}: scorers")
        name, metrics = named(scorer.get("name"), f"{log.path}: scorers"), scorer.get("metrics") or []
        parts = metrics.items() if isinstance(metrics, dict) else [(name, metrics)]
        for part, entries in parts:
            keys = [str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry]
            view = View(name, str(part), None, {})
            figures |= {
                _name(base, view): Metric(value=None, reason=reason)
                for base in (key.rpartition("/")[2] for key in keys)
                if base not in _SPREADS
            }
    return figures


def headline_of(log: Log, views: Sequence[View]) -> str | None:
    """What the log calls its headline, where that is a mean over samples; else the first mean there is."""
    stated = mapping(log.results.get("headline"), f"{log.path}: headline")
    means = [(view, key) for view in views for key, metric in view.metrics.items() if _base(metric) in _MEANS]
    rest = [(view, key) for view in views for key, metric in view.metrics.items() if _base(metric) not in _SPREADS]
    meant = [
        (view, key)
        for view, key in means
        if (view.scorer, view.name, key, view.reducer)
        == (stated.get("scorer"), stated.get("score"), stated.get("metric"), stated.get("reducer"))
    ]
    chosen = [*meant, *means, *rest]
    return _name(chosen[0][1], chosen[0][0]) if chosen else None


def _name(key: str, view: View) -> str:
    return f"{_plain(key)},{view.filter}"


def _plain(key: str) -> str:
    """A metric's own comma would read as the beginning of its filter."""
    return key.replace(",", ";")


def _base(metric: JsonObject) -> str:
    """The metric's own name; a part of a metric (one group's accuracy) bears the part's."""
    return "" if metric.get("group") else str(metric.get("name")).rpartition("/")[2]


def _counted(metric: JsonObject) -> bool:
    """Whether it is the mean of values as `to_float` reads them; a task may have its own way of reading."""
    params = metric.get("params")
    return _base(metric) in _MEANS and not (isinstance(params, dict) and params.get("to_float"))
