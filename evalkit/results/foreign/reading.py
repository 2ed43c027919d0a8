"""Files that others made, read without trust: sizes are bounded, and whatever is wrong is one line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError
from evalkit.results.files import open_regular
from evalkit.types import JsonObject

__all__ = ["MOST", "finite", "listed", "mapping", "named", "number", "parse", "read_bytes", "read_rows", "size"]

MOST = 512 << 20
"""Bytes of one JSON text. The largest honest ones, a log with all its samples, stay well below."""


def read_bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            content = file.read(MOST + 1)
    except OSError as error:
        raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None
    if len(content) > MOST:
        raise RunFolderError(f"{path} is larger than {size(MOST)}, more than a file of results has")
    return content


def parse(content: bytes, place: object) -> Any:
    """JSON as Python's writer makes it: NaN and Infinity are numbers here, and judged where they are used."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{place} is not JSON: {str(error)[:200]}") from None


def read_rows(path: Path) -> Iterator[tuple[str, JsonObject]]:
    """The objects of a JSONL file, each with its place."""
    try:
        with open_regular(path) as file:
            number = 0
            while line := file.readline(MOST + 1):
                number += 1
                place = f"{path}:{number}"
                if len(line) > MOST:
                    raise RunFolderError(f"{place} is longer than {size(MOST)}")
                if line.strip():
                    yield place, mapping(parse(line, place), place)
    except OSError as error:
        raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None


def mapping(value: Any, place: object) -> JsonObject:
    """The value, if it is an object; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RunFolderError(f"{place} is {json.dumps(value, default=str)[:60]}, not an object")
    return value


def listed(value: Any, place: object) -> list[Any]:
    """The value, if it is a list; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RunFolderError(f"{place} is {json.dumps(value, default=str)[:60]}, not a list")
    return value


def named(name: Any, place: object) -> str:
    """A name that can stand in a line of a terminal, or an error: control characters are no part of a task's name."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise RunFolderError(f"{place} is {json.dumps(name, default=str)[:60]}, not a name")
    return name


def number(content: JsonObject, key: str) -> float | None:
    value = content.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def finite(content: JsonObject, key: str) -> float | None:
    value = number(content, key)
    return value if value is not None and math.isfinite(value) else None


def size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.0f} GiB"
