"""Documents of a JSONL file as they stand there. A table would force one type on every field of every row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataNotFound
from evalkit.types import RawDocument

__all__ = ["PlainRows", "dataset_of", "read_jsonl"]


class PlainRows(list[RawDocument]):
    """A split as lm-eval's tasks take it, with what was left out of it."""

    def __init__(self, rows: Iterable[RawDocument], broken: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(rows)
        self.features = dict.fromkeys(key for row in self for key in row)
        self.broken = tuple(broken)
        """Line number and what is wrong, of each row that could not be read."""


def dataset_of(read: Callable[[Path], PlainRows], path: Path, split: str = "test") -> Callable[..., Any]:
    """What lm-eval calls a custom dataset."""

    def load(**_: Any) -> dict[str, PlainRows]:
        return {split: read(path)}

    return load


def read_jsonl(path: Path) -> PlainRows:
    """Strict: this is a task's own data, and whatever is wrong with a line is an error that names it."""
    try:
        content = path.read_bytes()
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
