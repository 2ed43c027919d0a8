"""Reads and writes JSONL files of objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.regularfile import read_regular_file
from evalkit.types import JsonObject

__all__ = ["as_lines", "json_lines"]


def json_lines(path: Path) -> Iterator[tuple[JsonObject, str]]:
    """Yield each object with its file and line, for error messages."""
    try:
        lines = read_regular_file(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: not JSON ({error})") from None
        if b"\\ud" in line.lower() and _has_half_characters(row):
            raise UsageError(f"{where}: half of a surrogate pair stands in it, which is no text")
        if not isinstance(row, dict):
            raise UsageError(f"{where}: an object is wanted, this is {type(row).__name__}")
        yield row, where


def _has_half_characters(row: object) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def as_lines(rows: Iterable[JsonObject]) -> str:
    """The rows as the text of a JSONL file."""
    return "".join(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n" for row in rows)
