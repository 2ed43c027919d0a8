"""Places of runs from a CSV file: a column `run`, and one named as the axis."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from evalkit.curves.axis import whole
from evalkit.curves.records import Number
from evalkit.errors import ConfigError, RunFolderError, UsageError, nearest
from evalkit.results.files import read_regular

__all__ = ["read_table"]

_LONGEST_CELL = 100_000


def read_table(path: Path, axis: str) -> dict[str, Number]:
    """Places by run: its id, folder, file or model."""
    try:
        text = read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--points {path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--points {path}: is not UTF-8 text") from None
    except RunFolderError as error:
        raise UsageError(f"--points {error}") from None
    csv.field_size_limit(_LONGEST_CELL)  # for the whole process, so another reader may have changed it
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), restkey="…", restval=""))
    except csv.Error as error:
        raise ConfigError(f"--points {path}: is not CSV ({error})") from None
    names = [str(name) for name in rows[0]] if rows else []
    for column in ("run", axis):
        if column not in names:
            hint = nearest(column, names) or f"; it has {', '.join(names[:8]) or 'nothing'}"
            raise ConfigError(f"--points {path}: has no column {column}{hint}")
    return {row["run"]: _number(row[axis], f"--points {path}:{line}") for line, row in enumerate(rows, 2)}


def _number(text: str, where: str) -> Number:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{where}: {text[:40]!r} is not a number")
    return whole(value)
