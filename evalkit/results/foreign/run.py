"""Another tool's run, read as one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import RunFolderError
from evalkit.results.run import Run
from evalkit.results.table import COLUMNS, schema
from evalkit.types import JsonObject

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Columns", "ForeignRun", "table_of"]

Rows = Callable[[], Iterator[JsonObject]]


@dataclass(frozen=True, eq=False)
class ForeignRun(Run):
    """Its figures are those of the tool's own summary. Nothing is written where it lies."""

    table: pa.Table | None = field(default=None, repr=False)
    """None: the tool kept no rows."""
    _rows: Mapping[str, Rows] = field(default_factory=dict, repr=False)
    how_to_keep_rows: str = ""

    @property
    def scores_path(self) -> Path:
        return self.path

    @property
    def results_path(self) -> Path:
        return self.path

    @cached_property
    def _scores(self) -> pa.Table:
        if self.table is None or self.table.num_rows == 0:
            raise RunFolderError(
                f"{self.path} has figures and no rows, so nothing can be paired: {self.how_to_keep_rows}"
            )
        return self.table

    def has_rows(self, task: str) -> bool:
        return task in self._rows

    def rows(self, task: str) -> Iterator[JsonObject]:
        if task not in self._rows:
            raise RunFolderError(f"{self.path} has no rows of {task}: {self.how_to_keep_rows}")
        yield from self._rows[task]()


class Columns:
    """Lines of a score table, one after the other."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}

    def add(
        self,
        task: str,
        doc_id: int,
        doc_hash: str,
        prompt_hash: str | None,
        filter_name: str,
        metric: str,
        value: float | None,
        flags: str = "",
        cluster: str | None = None,
    ) -> None:
        line = (task, doc_id, doc_hash, prompt_hash, filter_name, None, cluster, metric, value, flags, None, None)
        for column, item in zip(self._columns.values(), line, strict=True):
            column.append(item)

    def __len__(self) -> int:
        return len(self._columns["task"])

    def table(self) -> pa.Table:
        return table_of(self._columns)


def table_of(columns: Mapping[str, list[Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(dict(columns), schema=schema())
