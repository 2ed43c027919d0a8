"""Reads the rows of a JSONL file as texts one at a time, without loading the whole file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.regularfile import open_regular_file, read_lines_of
from evalkit.types import JsonObject

__all__ = ["text_rows"]


def text_rows(path: Path, text_of: Callable[[JsonObject], str | None], wanted: str) -> Iterator[tuple[int, str, int]]:
    """Yield row number from 0, text and size in bytes of each row. An error names the line of a row without a text.

    `wanted`: the fields that `text_of` reads, as the message names them.
    """
    try:
        with open_regular_file(path) as file:
            row = 0
            for number, line in enumerate(read_lines_of(file, path), 1):
                if line.strip():
                    yield row, _text_of(line, f"{path}:{number}", text_of, wanted), len(line)
                    row += 1
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None


def _text_of(line: bytes, where: str, text_of: Callable[[JsonObject], str | None], wanted: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON ({error})") from None
    text = text_of(row) if isinstance(row, dict) else None
    if text is None:
        fields = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
        raise UsageError(f"{where}: has {fields or 'nothing'}; {wanted}")
    return text
