"""The user's cache folder: small files that save time and may be lost at any moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["user_cache", "write_cache"]


def user_cache() -> Path | None:
    """`$XDG_CACHE_HOME/evalkit`, else `~/.cache/evalkit`; None for a user without a home folder."""
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named) / "evalkit"
    try:
        return Path.home() / ".cache" / "evalkit"
    except RuntimeError:
        return None


def write_cache(file: Path, content: bytes) -> bool:
    """Write the file whole or not at all; False where it cannot be written, which costs time and nothing else."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}-")
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        return False
    return True
