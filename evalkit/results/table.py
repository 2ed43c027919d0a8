"""scores.parquet: one line per (document, filter, metric), all that compare and gate read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from evalkit.errors import RunFolderError
from evalkit.results.files import read_regular
from evalkit.results.parquet_size import values_in
from evalkit.types import Row

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "ScoreWriter", "is_verdicts", "read_scores", "schema", "scores_of", "write_scores"]

COLUMNS: dict[str, str] = {
    "task": "string",
    "doc_id": "int64",
    "doc_hash": "string",
    "prompt_hash": "string",
    "filter": "string",
    "stratum": "string",
    "cluster": "string",
    "metric": "string",
    "value": "float64",
    "flags": "string",
    "corpus": "string",
    "parts": "list<float64>",
}
"""Column names and types, in the order of the file."""

_FEW_LINES = 500_000
_MOST_UNPACKED = 2 << 30
_REQUIRED = ("task", "doc_id", "doc_hash", "metric", "value")
_DEFAULTS = {"filter": "none", "flags": ""}


def schema() -> pa.Schema:
    """The table's columns and their types."""
    import pyarrow as pa

    return pa.schema([(name, _type_of(kind)) for name, kind in COLUMNS.items()])


def _type_of(kind: str) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.float64()) if kind == "list<float64>" else pa.type_for_alias(kind)


# ── writing ──────────────────────────────────────────────────────────────────


class ScoreWriter:
    """Writes the table task by task, so that only one task's lines are held at a time."""

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow.parquet as pq

        self._schema = schema()
        # Through a Python file: a short write or a full disk then raises OSError.
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def add(self, rows: Sequence[Row], metrics: Sequence[str] = ()) -> None:
        import pyarrow as pa

        lines: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        expected = _metrics_by_filter(rows, metrics)
        several = {name for row in rows for name, value in row.metrics.items() if is_verdicts(value)}
        for row in rows:
            for metric in expected[row.filter]:
                for line in _lines(row, metric, metric in several):
                    for name, item in zip(COLUMNS, line, strict=True):
                        lines[name].append(item)
        self._writer.write_table(pa.table(lines, schema=self._schema))

    def add_table(self, table: pa.Table) -> None:
        """Lines that another state of the run had."""
        self._writer.write_table(table.select(list(COLUMNS)).cast(self._schema))

    def close(self) -> None:
        self._writer.close()


def write_scores(file: BinaryIO, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table.select(list(COLUMNS)).cast(schema()), file, compression="zstd")


def scores_of(row: Row, metric: str) -> list[tuple[float | None, list[str]]]:
    """A row's value of one metric and its flags, or one for each of several verdicts, as the table holds them."""
    value = row.metrics.get(metric)
    if value is not None and is_verdicts(value):
        return [(float(verdict), list(row.flags)) for verdict in value]
    return [_score_of(row, metric)]


def _score_of(row: Row, metric: str) -> tuple[float | None, list[str]]:
    value, flags = _number(row.metrics.get(metric)), list(row.flags)
    if value is not None and not math.isfinite(value):
        value = None
        if "error" not in flags:
            flags.append("error")
    if metric not in row.metrics and not {"missing", "error"}.intersection(flags):
        flags.append("error")
    return value, flags


def _lines(row: Row, metric: str, several: bool) -> Iterator[tuple[Any, ...]]:
    """One; but of a metric that gives a document several verdicts one for each, its hash numbered `…#2`.

    The mean over the lines is then the metric's own figure, and the document is the cluster that they share.
    """
    value = row.metrics.get(metric)
    if not several:
        yield _line(row, metric, *_score_of(row, metric))
        return
    verdicts: list[bool | None] = value if value is not None and is_verdicts(value) else [None]
    for place, verdict in enumerate(verdicts, 1):
        flags = list(row.flags) if verdict is not None else _score_of(row, metric)[1]
        part = replace(row, doc_hash=f"{row.doc_hash}#{place}", cluster=row.cluster or row.doc_hash)
        yield _line(part, metric, None if verdict is None else float(verdict), flags)


def is_verdicts(value: Any) -> bool:
    """Several yes-or-no answers about one document, as IFEval gives for its instructions."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, bool) for item in value)


def _line(row: Row, metric: str, value: float | None, flags: Sequence[str]) -> tuple[Any, ...]:
    added = row.corpus.get(metric)
    return (
        row.task,
        row.doc_id,
        row.doc_hash,
        row.prompt_hash,
        row.filter,
        row.stratum,
        row.cluster,
        metric,
        value,
        ",".join(flags),
        added.kind if added is not None else None,
        list(added.parts) if added is not None else None,
    )


def _metrics_by_filter(rows: Iterable[Row], given: Sequence[str]) -> dict[str, list[str]]:
    """Every metric that any row of a filter has, so that a document without a figure still stands in the table."""
    seen: dict[str, dict[str, None]] = {}
    for row in rows:
        seen.setdefault(row.filter, {}).update(dict.fromkeys(row.metrics))
    all_metrics = dict.fromkeys([*given, *(metric for metrics in seen.values() for metric in metrics)])
    return {name: list(metrics or all_metrics or {"": None}) for name, metrics in seen.items()}


def _number(value: Any) -> float | None:
    """A per-document value, where it is one number. Pairs and lists, as perplexity has them, are not."""
    if hasattr(value, "item"):
        try:
            value = value.item()
        except ValueError:
            return None
    return float(value) if isinstance(value, bool | int | float) else None


# ── reading ──────────────────────────────────────────────────────────────────


def read_scores(path: Path) -> pa.Table:
    """The table with exactly `COLUMNS`. What is optional and absent is filled in; flags become comma-joined text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Read here: handed a path, pyarrow would read columns out of folder names such as `a=b`; handed an open file,
        # its threads may still hold it when the interpreter ends, which aborts the process.
        content = read_regular(path)
        file = pq.ParquetFile(pa.BufferReader(content))
        columns = [name for name in COLUMNS if name in file.schema_arrow.names]
        _refuse_odd_columns(path, file.schema_arrow, columns)
        _refuse_bombs(path, file, content)
        table = _written_out(path, _packed(pa.BufferReader(content), file, columns))
        table.validate(full=True)
    except FileNotFoundError:
        raise RunFolderError(f"{path} is missing: the run folder is half-written, or was copied in part") from None
    except (pa.ArrowException, OSError, ValueError) as broken:
        raise RunFolderError(f"{path} can't be read: {_first_line(broken)}") from None
    if absent := [name for name in _REQUIRED if name not in table.column_names]:
        raise RunFolderError(
            f"{path} has no column {', '.join(absent)}; found {', '.join(file.schema_arrow.names[:20])}"
        )
    if table.column("doc_id").null_count:
        raise RunFolderError(f"{path} has lines without a doc_id")
    return pa.table([_column(table, name, path) for name in COLUMNS], schema=schema())


def _refuse_bombs(path: Path, file: Any, content: bytes) -> None:
    """Parquet packs millions of equal lines into a few bytes. Each document has a hash of its own, which it cannot."""
    known, size = file.metadata, len(content)
    unpacked = sum(known.row_group(i).total_byte_size for i in range(known.num_row_groups))
    if known.num_rows > max(_FEW_LINES, size) or max(unpacked, 8 * values_in(content)) > _MOST_UNPACKED:
        raise _no_table(path, size, known.num_rows)


def _refuse_odd_columns(path: Path, found: pa.Schema, columns: Sequence[str]) -> None:
    """Refuse names that stand twice, and types whose size the file's own does not bound."""
    for name in columns:
        if found.names.count(name) > 1:
            raise RunFolderError(f"{path} has several columns {name}")
        kind = found.field(name).type
        if not _is_plain(kind):
            raise RunFolderError(f"{path}: column {name} is {str(kind)[:60]}, not {COLUMNS[name]}")


def _no_table(path: Path, size: int, lines: int) -> RunFolderError:
    return RunFolderError(f"{path} can't be read: {size:,} bytes that stand for {lines:,} lines are no table of scores")


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_plain(kind: Any) -> bool:
    """Whether the bytes of a file bound what a column of this type takes: not where one long value may stand often."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
        kind = kind.value_type
    plain = (types.is_null, types.is_boolean, types.is_integer, types.is_floating)
    return _is_text(kind) or any(is_kind(kind) for is_kind in plain)


def _packed(content: Any, file: Any, columns: Sequence[str]) -> pa.Table:
    """The table with each text held once, as the file has it, and numbers in the lines."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    leaves = [file.metadata.schema.column(at) for at in range(file.metadata.num_columns)]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    packed = pq.ParquetFile(content, read_dictionary=texts)
    if all("." not in text for text in texts):
        return packed.read(columns=columns)
    # Of lists with such texts, pyarrow reads only one group of rows at a time.
    return pa.concat_tables([packed.read_row_group(at, columns=columns) for at in range(packed.num_row_groups)])


def _written_out(path: Path, table: pa.Table) -> pa.Table:
    """The table with its texts in the lines; refused where they are far longer than any honest table's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    length = 0
    for chunk in (chunk for column in table.columns for chunk in column.chunks):
        values = chunk.flatten() if pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type) else chunk
        if pa.types.is_dictionary(values.type) and _is_text(values.type.value_type):
            length += pc.sum(pc.binary_length(values.dictionary).take(values.indices)).as_py() or 0
    if length > _MOST_UNPACKED:
        raise _no_table(path, path.stat().st_size, table.num_rows)
    for at, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(at, name, column.cast(column.type.value_type))
        elif pa.types.is_list(column.type) and pa.types.is_dictionary(column.type.value_type):
            table = table.set_column(at, name, column.cast(pa.list_(column.type.value_type.value_type)))
    return table


def _column(table: pa.Table, name: str, path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = _type_of(COLUMNS[name])
    if name not in table.column_names:
        return pa.array([_DEFAULTS.get(name)] * table.num_rows, wanted)
    column = table.column(name)
    try:
        if name != "parts" and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            column = pc.binary_join(column.cast(pa.list_(pa.string())), ",")
        if pa.types.is_null(column.type):
            column = pa.nulls(table.num_rows, wanted)
        column = column.cast(wanted)
    except pa.ArrowException as wrong:
        raise RunFolderError(
            f"{path}: column {name} is {column.type}, not {COLUMNS[name]} ({_first_line(wrong)})"
        ) from None
    if name in _DEFAULTS:
        column = column.fill_null(_DEFAULTS[name])
    return column


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
