"""Reads the small files of a checkpoint. They come from outside, so their size and content are checked."""

from __future__ import annotations

import json
from pathlib import Path

from evalkit.errors import CheckpointError
from evalkit.regularfile import open_regular_file, read_regular_file
from evalkit.types import JsonObject

__all__ = ["read_json", "refuse_pointer"]

_LFS = b"version https://git-lfs"
_MOST_BYTES = 64 << 20
"""Even the index of a very large model has only a few MiB."""


def read_json(file: Path) -> JsonObject:
    """The object in a JSON file. Raises CheckpointError if it can't be read, is too large or deep, or not an object."""
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES:
            raise CheckpointError(f"{file} has {size:,} bytes, which no file of settings needs.")
        content = json.loads(read_regular_file(file, _MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    except RecursionError:
        raise CheckpointError(f"{file} is nested too deeply to be read.") from None
    except ValueError as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds no JSON object.")
    return content


def refuse_pointer(file: Path) -> None:
    """Raise CheckpointError if a file is empty, or only a git-lfs pointer to the real file."""
    try:
        with open_regular_file(file) as stream:
            start = stream.read(len(_LFS))
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    if start == _LFS:
        raise CheckpointError(f"{file} is a git-lfs pointer, not the file: type `git lfs pull` in {file.parent}.")
    if not start:
        raise CheckpointError(f"{file} is empty: copy or download it again.")
