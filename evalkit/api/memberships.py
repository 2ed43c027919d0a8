"""Signs in a model that it was trained on benchmarks."""

from __future__ import annotations

import json as json_format
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.api.output import as_html_table
from evalkit.stats import Area, area_under_curve, wilson

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.runner.benchmarks import BenchmarkDocument
    from evalkit.runner.membership import Signs

__all__ = ["FIGURES", "TrainingSigns"]

FIGURES = ("min_k", "min_k_pp", "falls")
"""More of each is a sign of training."""


@dataclass(frozen=True, eq=False, repr=False)
class TrainingSigns:
    """Min-K%, Min-K%++ and CoDeC of each document; with a reference model, the difference to its own."""

    model: str
    documents: Sequence[BenchmarkDocument]
    signs: Sequence[Signs]
    reference: str | None = None
    of_reference: Sequence[Signs] = ()
    seen: frozenset[int] | None = None
    """The places of documents that stand in a file of training data; None where none was given."""

    def frame(self) -> pd.DataFrame:
        """One row for each document."""
        import pandas as pd

        return pd.DataFrame(list(self._rows()))

    def codec(self) -> dict[str, dict[str, Any]]:
        """For each name that was asked for: the share of documents whose log-probability falls behind others."""
        falls: dict[str, list[bool]] = {}
        for document, sign in zip(self.documents, self.signs, strict=True):
            if sign.falls is not None:
                falls.setdefault(document.requested, []).append(sign.falls > 0)
        codec = {}
        for name, of_task in falls.items():
            bounds = wilson(sum(of_task), len(of_task))
            share = sum(of_task) / len(of_task)
            codec[name] = {"share": share, "ci95": [bounds.low, bounds.high], "n": len(of_task)}
        return codec

    def areas(self) -> dict[str, Area | None]:
        """How well each figure tells seen documents from others. None: not known."""
        if self.seen is None:
            return {}
        areas = {}
        for name in FIGURES:
            values = [
                (place in self.seen, value) for place, value in enumerate(self._values(name)) if value is not None
            ]
            first = [value for is_seen, value in values if is_seen]
            areas[name] = area_under_curve(first, [value for is_seen, value in values if not is_seen])
        return areas

    def json(self) -> str:
        content = {
            "model": self.model,
            "reference": self.reference,
            "codec": self.codec(),
            "areas": {name: None if area is None else asdict(area) for name, area in self.areas().items()},
            "documents": list(self._rows()),
        }
        return json_format.dumps(content, ensure_ascii=False)

    def _values(self, name: str) -> list[float | None]:
        """A figure of each document, less the reference's."""
        own = [getattr(sign, name) for sign in self.signs]
        if self.reference is None:
            return own
        others = [getattr(sign, name) for sign in self.of_reference]
        return [None if a is None or b is None else a - b for a, b in zip(own, others, strict=True)]

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        columns = {name: self._values(name) for name in FIGURES}
        for place, document in enumerate(self.documents):
            seen = {} if self.seen is None else {"seen": place in self.seen}
            figures = {name: values[place] for name, values in columns.items()}
            yield {"task": document.task, "doc_id": document.doc_id, "doc_hash": document.doc_hash, **figures, **seen}

    def __repr__(self) -> str:
        lines = [
            f"{self.model}: {len(self.documents):,} documents" + (f", less {self.reference}" * bool(self.reference))
        ]
        for name, codec in self.codec().items():
            low, high = codec["ci95"]
            lines.append(
                f"{name}: the log-probability of {codec['share']:.1%} [{low:.1%}, {high:.1%}] falls behind other"
                " documents of the set"
            )
        for name in FIGURES:
            values = [value for value in self._values(name) if value is not None and math.isfinite(value)]
            lines.append(f"{name}: mean {sum(values) / len(values):+.4f}" if values else f"{name}: {_why_not(name)}")
        for name, area in self.areas().items():
            lines.append(f"{name} tells seen documents from others: {_told(area)}")
        if self.seen is None:
            lines.append("no verdict: what is usual for a model that never saw them is not known; give --reference")
        return safe.terminal("\n".join(lines))

    def _repr_html_(self) -> str:
        return as_html_table(repr(self).split("\n", 1)[0], self.frame())


def _why_not(name: str) -> str:
    return "not computed; --plus-plus asks for it, where the vocabulary is small" if name == "min_k_pp" else "not known"


def _told(area: Area | None) -> str:
    if area is None:
        return "not known"
    sure = "" if area.tells_apart else ", which holds .5: no difference is shown"
    return f"area {area.value:.3f} [{area.ci95[0]:.3f}, {area.ci95[1]:.3f}]{sure}"
