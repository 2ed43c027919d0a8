"""What each document adds to a figure of all documents together, and the figure's interval.

lm-eval's aggregation says which figure it is. A document's value there, such as gold and prediction, becomes the
numbers that `evalkit.stats.CORPUS_KINDS` adds up. The kind is kept only where its figure is lm-eval's own, to rounding.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from evalkit.registry.language import IN_KOREAN
from evalkit.registry.reading import SPAN
from evalkit.types import Contribution, Figure, Row

if TYPE_CHECKING:
    from evalkit.stats import CorpusFigure

__all__ = ["Contributor", "corpus_interval"]

_SAME = 1e-9

Parts = tuple[float, ...]


def _pair(item: Any) -> Parts:
    gold, predicted = item
    return _label(gold), _label(predicted)


def _label(value: Any) -> float:
    """A label as a number; a name by its checksum, which is the same in every run."""
    return float(zlib.crc32(value.encode("utf-8", "replace"))) if isinstance(value, str) else float(value)


def _numbers(item: Any) -> Parts:
    return tuple(float(number) for number in item)


def _loglikelihood(item: Any) -> Parts:
    return float(item), 1.0


def _brier(item: Any) -> Parts:
    gold, shares = item
    return sum((float(share) - (place == int(gold))) ** 2 for place, share in enumerate(shares)), 1.0


def _bbq(item: Any) -> Parts:
    """lm-eval's (right, biased, not unknown, disambiguated), NaN where the document is of another category."""
    right, biased, known, disambiguated = (float(number) for number in item)
    counts = disambiguated == 1.0
    return (biased, known, right, 1.0) if counts else (0.0, 0.0, 0.0, 0.0)


def _bbq_ambiguous(item: Any) -> Parts:
    right, biased, known, disambiguated = (float(number) for number in item)
    counts = disambiguated == 0.0
    return (biased, known, right, 1.0) if counts else (0.0, 0.0, 0.0, 0.0)


def _share_of(wanted: bool) -> Callable[[Any], Parts]:
    """BBQ's accuracy in disambiguated contexts, or in the others."""

    def parts(item: Any) -> Parts:
        right, disambiguated = item
        counts = bool(disambiguated) is wanted
        return (float(right), 1.0) if counts else (0.0, 0.0)

    return parts


def _segment(name: str) -> Callable[[Any], Parts]:
    """sacrebleu's counts of one answer against its references."""

    def parts(item: Any) -> Parts:
        wanted, predicted = item
        predicted = predicted[0] if isinstance(predicted, list | tuple) else predicted
        references = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        [counts] = _sacrebleu(name)._extract_corpus_statistics([str(predicted)], [[str(text)] for text in references])
        return tuple(map(float, counts))

    return parts


@functools.cache
def _sacrebleu(name: str) -> Any:
    import sacrebleu

    if name == "chrf++":
        return sacrebleu.CHRF(word_order=2)
    return {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF, "ter": sacrebleu.TER}[name]()


_ITEMS: Mapping[str, tuple[str, Callable[[Any], Parts]]] = {
    "macro_f1_score": ("macro_f1", _pair),
    "f1_score": ("f1", _pair),
    "matthews_corrcoef": ("mcc", _pair),
    "bleu": ("bleu", _segment("bleu")),
    "chrf": ("chrf", _segment("chrf")),
    "chrfpp": ("chrf++", _segment("chrf++")),
    "ter": ("ter", _segment("ter")),
    "perplexity": ("perplexity", _loglikelihood),
    "weighted_perplexity": ("perplexity", _numbers),
    "bits_per_byte": ("bits", _numbers),
    "brier_score": ("ratio", _brier),
    "agg_accuracy_amb": ("ratio", _share_of(False)),
    "agg_accuracy_disamb": ("ratio", _share_of(True)),
    "agg_amb_bias_scores": ("bbq_amb", _bbq_ambiguous),
    "agg_disamb_bias_scores": ("bbq_disamb", _bbq),
    "ratio": ("ratio", _numbers),
    "signed_mean": ("ratio_signed", lambda item: (float(item), 1.0)),
    "ratio_difference": ("ratio_difference", _numbers),
}
"""By the name of an aggregation, of lm-eval's, of its tasks or of ours: the kind of figure, and a document's part."""


@dataclass(frozen=True, slots=True)
class Contributor:
    aggregations: Mapping[str, Callable[..., Any]]
    counted_by: Mapping[str, str] = field(default_factory=dict)
    """For a metric that is not about every document, one that is: an answer that has it counts as an answer."""

    def applied(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with their contributions, where every document's value has the form that the figure is made from."""
        by_metric: dict[str, list[Contribution | None]] = {}
        for metric in dict.fromkeys(metric for row in rows for metric in row.metrics):
            contributions = [self._of_row(metric, row) for row in rows]
            present = [contribution for contribution in contributions if contribution is not None]
            missing = [
                row
                for row, contribution in zip(rows, contributions, strict=True)
                if contribution is None and row.metrics.get(metric)
            ]
            if present and not missing and self._is_the_figure(metric, rows, present):
                by_metric[metric] = contributions
        if not by_metric:
            return list(rows)
        return [
            replace(
                row,
                corpus={
                    metric: contribution
                    for metric, contributions in by_metric.items()
                    if (contribution := contributions[place])
                },
            )
            for place, row in enumerate(rows)
        ]

    def _of_row(self, metric: str, row: Row) -> Contribution | None:
        value, other, known = row.metrics.get(metric), self.counted_by.get(metric), self._known(metric)
        if value is None and other is not None and row.metrics.get(other) is not None and known is not None:
            return Contribution(known[0], (0.0, 0.0))
        return self._contribution(metric, value)

    def _contribution(self, metric: str, value: Any) -> Contribution | None:
        kind_and_parts = self._known(metric)
        if kind_and_parts is None or value is None:
            return None
        kind, parts = kind_and_parts
        try:
            numbers = parts(value)
        except (TypeError, ValueError):
            return None
        return Contribution(kind, numbers) if all(math.isfinite(number) for number in numbers) else None

    def _known(self, metric: str) -> tuple[str, Callable[[Any], Parts]] | None:
        if metric in (IN_KOREAN, SPAN):
            return _ITEMS["ratio"]
        return _ITEMS.get(getattr(self.aggregations.get(metric), "__name__", ""))

    def _is_the_figure(self, metric: str, rows: Sequence[Row], made: Sequence[Contribution]) -> bool:
        """A function of a task's own may bear a name that is known here and do something else."""
        function = self.aggregations.get(metric)
        if function is None or getattr(function, "__module__", "").startswith(("lm_eval.api", "evalkit.")):
            return True
        by_filter: dict[str, list[Any]] = {}
        for row in rows:
            if row.metrics.get(metric) is not None:
                by_filter.setdefault(row.filter, []).append(row.metrics[metric])
        values = next(iter(by_filter.values()))
        try:
            wanted = float(function(list(values)))
            contributions = [self._contribution(metric, value) for value in values]
            ours = _value([part for part in contributions if part is not None])
        except Exception:
            return False
        return (math.isnan(wanted) and math.isnan(ours)) or math.isclose(wanted, ours, rel_tol=_SAME, abs_tol=_SAME)


def corpus_interval(figure: Figure, metric: str, rows: Sequence[Row]) -> Figure:
    """The figure with an interval from a cluster bootstrap, where it is one of all documents together."""
    rows = [row for row in rows if metric in row.corpus]
    if not rows:
        return figure
    if figure.value is None:
        empty = not any(any(row.corpus[metric].parts) for row in rows)
        return replace(figure, reason="no document counts for it") if empty else figure
    bootstrapped = _figure(
        [row.corpus[metric] for row in rows],
        clusters=[row.cluster for row in rows],
        strata=[row.stratum for row in rows],
    )
    interval = bootstrapped.interval()
    known = math.isfinite(interval.low) and math.isfinite(interval.high)
    stderr = figure.stderr if figure.stderr is not None else bootstrapped.stderr
    return replace(
        figure,
        stderr=stderr if stderr is not None and math.isfinite(stderr) else None,
        ci95=(interval.low, interval.high) if known else None,
    )


def _value(made: Sequence[Contribution]) -> float:
    import numpy as np

    from evalkit.stats import corpus_value

    return corpus_value(made[0].kind, np.array([part.parts for part in made], dtype=float))


def _figure(
    made: Sequence[Contribution],
    clusters: Sequence[str | None] | None = None,
    strata: Sequence[str | None] | None = None,
) -> CorpusFigure:
    import numpy as np

    from evalkit.stats import Contributions, corpus_figure

    parts = np.array([part.parts for part in made], dtype=float)
    owners, groups = (None if labels is None else np.array(labels, dtype=object) for labels in (clusters, strata))
    return corpus_figure([Contributions(made[0].kind, (parts,), owners, groups)])
