"""Removes keys and local paths from what leaves this machine.

Settings (names, notes, command lines) are searched for anything that looks like a path. Documents and answers may hold
paths that belong to them, so there only this machine's own folders are replaced.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import CouldNotDo
from evalkit.scrub import Scrubber

__all__ = ["Cleaner", "file_name", "is_local_path", "last_part"]

_LOCAL_PATH = re.compile(
    r"""(?<![\w./~-])(?!//)(?:file:/{0,2})?(?:~[\w.-]*|\.{1,2}|[A-Za-z]:)?[/\\][^\s,;:"'=|<>()/\\][^\s,;:"'=|<>()]*"""
)
"""An absolute path, or one that begins with ~ or dots. The lookbehind leaves URLs and `org/name` alone."""
_ROOT = re.compile(r"(?:~|[/\\]|[A-Za-z]:[/\\]|file:)")
_WORKPLACE = "[path]"
_LONGEST_NAME = 150
"""Bytes; file systems take 255, and dates and endings are added."""


def is_local_path(text: str) -> bool:
    """Whether the whole text is a path of this machine and not a hub id."""
    return _ROOT.match(text) is not None or text.startswith(("./", "../"))


class Cleaner:
    """Removes keys and local paths, always in the same way, so that names still fit together afterwards."""

    def __init__(self, folders: Iterable[str | Path] = ()) -> None:
        self._keys = Scrubber()
        folders_here = {str(Path(folder)) for folder in (*folders, Path.home(), Path.cwd(), tempfile.gettempdir())}
        # A folder such as /tmp or /root identifies nobody and may be part of any document, so it is kept.
        private = sorted((folder for folder in folders_here if len(Path(folder).parts) > 2), key=len, reverse=True)
        self._folders = (
            re.compile(rf"(?:{'|'.join(map(re.escape, private))})(?![\w-]|\.\w)((?:[/\\][^\s/\\,;:\"'|<>]+)*)")
            if private
            else None
        )

    def text(self, text: str) -> str:
        """A document's or a model's own words."""
        clean = self._keys.text(text)
        return (
            clean
            if self._folders is None
            else self._folders.sub(lambda match: last_part(match.group(1)) or _WORKPLACE, clean)
        )

    def name(self, text: str) -> str:
        """A name or a setting: a path becomes its last part."""
        if "\n" not in text and _ROOT.match(text):
            return self.text(last_part(text))
        return _LOCAL_PATH.sub(lambda match: last_part(match.group()), self.text(self._keys.argument(text)))

    def settings(self, value: Any) -> Any:
        """Settings of any shape."""
        if isinstance(value, str):
            return self.name(value)
        if isinstance(value, Mapping):
            clean: dict[Any, Any] = {}
            for key, inner in value.items():
                new = self.name(key) if isinstance(key, str) else key
                if new in clean:
                    raise CouldNotDo(
                        f"two entries are called {new} once local paths are removed: name tasks and adapters apart"
                    )
                secret = isinstance(key, str) and isinstance(inner, str) and Scrubber.is_secret_entry(key)
                clean[new] = "[key]" if secret else self.settings(inner)
            return clean
        return [self.settings(inner) for inner in value] if isinstance(value, list | tuple) else value

    def row(self, value: Any) -> Any:
        """A row of a document, with its answers."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key) if isinstance(key, str) else key: self.row(inner) for key, inner in value.items()}
        return [self.row(inner) for inner in value] if isinstance(value, list | tuple) else value


def file_name(name: str) -> str:
    """A name that can be one part of a path: not a folder above, no control characters, and not too long for a disk."""
    printable = "".join(character if character.isprintable() else "_" for character in name)
    if printable.strip(". ") == "":
        return "unknown"
    if len(printable.encode(errors="replace")) <= _LONGEST_NAME:
        return printable
    kept = printable.encode(errors="replace")[: _LONGEST_NAME - 9].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def last_part(path: str) -> str:
    """The name of a file or folder without its place, of either kind of slash."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
