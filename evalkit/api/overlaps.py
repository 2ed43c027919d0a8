"""Rows of one file that stand in another."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.api.data_definitions import OverlapArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.arguments import checked
from evalkit.errors import UsageError
from evalkit.synth.overlap import Overlap, find_overlap, read_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OverlappingRows", "overlap"]


@dataclass(frozen=True, eq=False, repr=False)
class OverlappingRows:
    """Which rows of a file match which rows of another."""

    result: Overlap

    @property
    def rows(self) -> int:
        return self.result.rows

    @property
    def matched(self) -> int:
        return self.result.matched

    def frame(self) -> pd.DataFrame:
        """One row for each pair that matches: `row`, `with` (both from 0) and `n`, the longest shared run of words."""
        import pandas as pd

        matches = [(match.row, match.other, match.words) for match in self.result.matches]
        return pd.DataFrame(matches, columns=["row", "with", "n"])

    def json(self) -> str:
        matches = [{"row": match.row, "with": match.other, "n": match.words} for match in self.result.matches]
        return json_format.dumps({"rows": self.rows, "matched": self.matched, "matches": matches})

    def __repr__(self) -> str:
        return f"{self.matched:,} of {self.rows:,} rows stand in the other file"

    def _repr_html_(self) -> str:
        return as_html_table(repr(self), self.frame())


def overlap(
    file: str | Path, *, against: str | Path | None = None, gram: int = 8, json: str | Path | None = None
) -> OverlappingRows:
    """Find the rows of a JSONL file that share a run of words with rows of another, or equal them."""
    asked = checked(OverlapArguments, {"against": against, "gram": gram, "json": json})
    if asked.against is None:
        raise UsageError("--against FILE is missing: the JSONL file that the rows are held against")
    overlapping = OverlappingRows(find_overlap(read_texts(Path(file)), read_texts(asked.against), asked.gram))
    write_all((asked.json, overlapping.json))
    return overlapping
