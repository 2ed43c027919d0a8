"""Reads a table with named columns from CSV, TSV, JSONL, JSON or Parquet, with a line number for each row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError
from evalkit.registry.jsonrows import Broken, json_rows
from evalkit.types import RawDocument

__all__ = ["ENDINGS", "Table", "read_table"]

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_MOST_BYTES = 1 << 30
_LONGEST_CELL = 10 << 20
_DELIMITERS = ",;\t|"
_OTHER_ENDINGS = {
    ".xlsx": "an Excel file: save it as CSV (UTF-8)",
    ".xls": "an Excel file: save it as CSV (UTF-8)",
    ".ods": "a spreadsheet: save it as CSV (UTF-8)",
}
_OTHER_STARTS = {
    b"\x1f\x8b": "packed by gzip: type gunzip first",
    b"PK\x03\x04": "an Excel file or a zip: save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save it as CSV (UTF-8)",
    b"\xff\xfe": "in UTF-16: save it as UTF-8",
    b"\xfe\xff": "in UTF-16: save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[int, RawDocument | Broken], ...]
    """Line number, and the row's cells or the reason why it cannot be used."""


def read_table(path: Path) -> Table:
    """Raises an error if the file is no table. A single bad row becomes a Broken."""
    if path.suffix.lower() in _OTHER_ENDINGS:
        raise ConfigError(f"{path} is {_OTHER_ENDINGS[path.suffix.lower()]}")
    try:
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise UsageError(f"{path} is no file")
        size = path.stat().st_size
        content = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None
    if size > _MOST_BYTES:
        raise ConfigError(f"{path} has {size >> 20} MiB; a table of at most {_MOST_BYTES >> 20} MiB is read")
    if content.startswith(b"PAR1"):
        return _parquet(path, content)
    for start, what in _OTHER_STARTS.items():
        if content.startswith(start):
            raise ConfigError(f"{path} is {what}")
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ConfigError(f"{path} is empty: a line of column names and a line for each question are wanted")
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv(path, content)
    if path.suffix.lower() == ".parquet":
        raise ConfigError(f"{path} is no Parquet file, or half of one")
    return _json(path, content)


def _json(path: Path, content: bytes) -> Table:
    rows: list[tuple[int, RawDocument | Broken]] = []
    columns: dict[str, None] = {}
    for line, item in json_rows(content):
        if isinstance(item, dict):
            columns.update(dict.fromkeys(item))
        elif not isinstance(item, Broken):
            item = Broken(f"an object is wanted, this is a {type(item).__name__}")
        rows.append((line, item))
    if not columns:
        line, why = rows[0] if rows else (1, "nothing is there")
        raise ConfigError(f"{path}: no row can be used (line {line}: {why})")
    return Table(tuple(columns), tuple(rows))


def _csv(path: Path, content: bytes) -> Table:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: {_encoding(content)}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigError(f"{path}:{line}: a NUL stands in it: the file is in UTF-16, or no text; save it as UTF-8")
    header = text.split("\n", 1)[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=header.count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = tuple(name.strip() for name in next(reader))
        _check_columns(path, columns)
        return Table(columns, tuple(_csv_rows(reader, columns)))
    except csv.Error as error:
        hint = "; a quotation mark that was opened is not closed" if "end of data" in str(error) else ""
        raise ConfigError(f"{path}:{reader.line_num}: not CSV ({error}){hint}") from None


def _encoding(content: bytes) -> str:
    """What a text that is not UTF-8 is, as far as can be told, and how to save it."""
    excel = "in Excel: Save as, “CSV UTF-8 (Comma delimited)”"
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError:
        return f"not UTF-8; save it so ({excel})"
    foreign = [letter for letter in text if ord(letter) > 127 and letter.isalpha()]
    korean = sum("가" <= letter <= "힣" for letter in foreign)
    if 10 * korean < 9 * len(foreign):
        return f"not UTF-8; save it so ({excel})"
    return f"in CP949 (EUC-KR), as Excel in Korean saves CSV; save it as UTF-8 ({excel}, or iconv -f cp949 -t utf-8)"


def _check_columns(path: Path, columns: tuple[str, ...]) -> None:
    if not any(columns):
        raise ConfigError(f"{path}:1: a line of column names is wanted")
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}:1: two columns are called {twice!r}")


def _csv_rows(reader: Any, columns: tuple[str, ...]) -> Iterator[tuple[int, RawDocument | Broken]]:
    line = reader.line_num + 1
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            pass
        elif len(cells) != len(columns):
            yield line, Broken(f"{len(cells)} cells, the header has {len(columns)}; a comma in a text needs quotes")
        else:
            yield line, {name: cell for name, cell in zip(columns, cells, strict=True) if name}
        line = reader.line_num + 1


def _parquet(path: Path, content: bytes) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        columns = tuple(file.schema_arrow.names)
        rows: list[tuple[int, RawDocument | Broken]] = []
        taken = 0
        for batch in file.iter_batches(batch_size=1024):
            taken += batch.nbytes
            if taken > _MOST_BYTES:
                raise ConfigError(f"{path}: its rows take more than {_MOST_BYTES >> 20} MiB")
            rows += [(len(rows) + number, row) for number, row in enumerate(batch.to_pylist(), 1)]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        problem = " ".join(str(error).split())[:120]
        raise ConfigError(f"{path} is no Parquet file, or half of one ({problem})") from None
    return Table(columns, tuple(rows))
