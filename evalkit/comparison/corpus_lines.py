"""What documents add to a figure of all documents together, as the lines of scores.parquet hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.targets import Target
from evalkit.errors import RunFolderError
from evalkit.results import Run
from evalkit.stats import CORPUS_KINDS, CorpusKind

if TYPE_CHECKING:
    from evalkit.comparison.lines import Lines

__all__ = ["CorpusLines", "with_corpus"]


@dataclass(frozen=True, slots=True)
class CorpusLines:
    kind: CorpusKind
    parts: NDArray[np.float64]
    """A row of numbers for each line; NaN where the document has no answer."""


def with_corpus(
    run: Run, target: Target, lines: Lines, kinds: Sequence[str | None], parts: Sequence[Sequence[float] | None]
) -> Lines:
    """The lines with what their documents add to the figure; as they are where it is a mean of the documents."""
    named = {kind for kind in kinds if kind is not None}
    if not named:
        return lines
    where = f"{run.scores_path}: {target.metric} of {target.name}"
    if len(named) > 1 or not named <= CORPUS_KINDS.keys():
        raise RunFolderError(f"{where} is made of {', '.join(sorted(named))}: no figure that this evalkit knows")
    kind = CORPUS_KINDS[named.pop()]
    held = np.full((len(lines.task), kind.width), np.nan)
    for place, numbers in enumerate(parts):
        if numbers is None:
            continue
        if len(numbers) != kind.width or not np.isfinite(np.array(numbers, dtype=float)).all():
            raise RunFolderError(f"{where}: doc_id {lines.doc_id[place]} has other than {kind.width} finite numbers")
        held[place] = numbers
    value = np.full(len(lines.task), np.nan)
    known = np.isfinite(held).all(axis=1)
    value[known] = kind.each(held[known])
    return replace(lines, value=value, corpus=CorpusLines(kind, held))
