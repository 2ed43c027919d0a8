"""Files of a run folder, read without trust: an odd one is refused in one line and does not stop the other runs."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from evalkit.errors import RunFolderError
from evalkit.regularfile import open_regular_file

__all__ = ["MOST_BYTES", "open_regular", "parse_json", "read_regular"]

MOST_BYTES = 512 << 20
"""Of one JSON text or table. The largest honest ones stay well below."""
_MOST_LEVELS = 100


def open_regular(path: Path) -> BinaryIO:
    """The file, open. A pipe or a device is refused: reading it might never end."""
    try:
        return open_regular_file(path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise RunFolderError(f"{path} is {error.strerror}") from None
        raise


def read_regular(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise RunFolderError(f"{path} is larger than {MOST_BYTES >> 20} MiB, more than such a file of a run has")
    return content


def parse_json(content: bytes, path: Path) -> Any:
    """JSON that can be handled and written again: not nested beyond reason, and without halves of surrogate pairs."""
    try:
        value = json.loads(content, parse_int=_whole)
        if b"\\ud" in content.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise RunFolderError(f"{path} is broken: it is nested too deeply") from None
    except ValueError as error:
        raise RunFolderError(f"{path} is broken: {str(error)[:200]}") from None
    if _nests_deeper(value, _MOST_LEVELS):
        raise RunFolderError(f"{path} is broken: it is nested too deeply")
    return value


def _whole(digits: str) -> int | float:
    """A number that no float can hold counts as infinite."""
    return int(digits) if len(digits) < 300 else math.inf


def _nests_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                inner += [part for part in item.values() if isinstance(part, Mapping | list)]
            elif isinstance(item, list):
                inner += [part for part in item if isinstance(part, Mapping | list)]
        if not inner:
            return False
        level = inner
    return True
