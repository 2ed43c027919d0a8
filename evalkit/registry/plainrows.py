"""Documents of a JSONL file, unchanged. A table would need one type for a field in all rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataNotFound
from evalkit.regularfile import read_regular_file
from evalkit.types import RawDocument

__all__ = ["PlainRows", "dataset_of", "read_jsonl"]


class PlainRows(list[RawDocument]):
    """The documents of a split, as lm-eval's tasks take them, and the rows that were left out."""

    def __init__(
        self, rows: Iterable[RawDocument], broken: Sequence[tuple[int, str]] = (), repeated: Sequence[int] = ()
    ) -> None:
        super().__init__(rows)
        self.features = dict.fromkeys(key for row in self for key in row)
        self.broken = tuple(broken)
        """Line number and problem of each row that could not be read."""
        self.repeated = tuple(repeated)
        """The lines of rows that ask what an earlier one asks."""


def dataset_of(read: Callable[[Path], PlainRows], path: Path, split: str = "test") -> Callable[..., Any]:
    """A function that loads one split, which lm-eval calls a custom dataset."""

    def load(**_: Any) -> dict[str, PlainRows]:
        return {split: read(path)}

    return load


def read_jsonl(path: Path) -> PlainRows:
    """Read a task's own JSONL file. A wrong line is an error that names it."""
    try:
        content = read_regular_file(path)
    except OSError as error:
        raise DataNotFound(f"{path} cannot be read ({error.strerror or error})") from None
    rows = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}:{number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}:{number}: an object is wanted, this is a {type(row).__name__}")
        rows.append(row)
    return PlainRows(rows)
