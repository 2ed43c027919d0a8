"""Finds which names occur in a folder of task files, read as plain text without lm_eval and without parsing YAML."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Spotted", "spot"]

_DEFINED = re.compile(rb"""^["']?(?:task|group|tag)["']?:[ ]*["']?([^\s"'\[{#]+)""", re.MULTILINE)
_PART = rb"[\w.+/-]"
_NO_YAML = (".py", ".pyc", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".md", ".sh", ".png", ".txt")
"""Endings of task files. Included files may have other endings."""
_LARGE = 4 << 20


@dataclass(frozen=True, slots=True)
class Spotted:
    mentioned: frozenset[str]
    """The requested names that occur in any file. A name that does not occur is no task there."""
    defined: frozenset[str]
    """All names, for naming the nearest one."""


def spot(root: Path, names: frozenset[str]) -> Spotted:
    """Look for these names in every file below the folder that may be a task file."""
    wanted = {name.encode(): name for name in names}
    alone = {key: re.compile(rb"(?<!" + _PART + rb")" + re.escape(key) + rb"(?!" + _PART + rb")") for key in wanted}
    mentioned: set[str] = set()
    defined: set[bytes] = set()
    for file in _files(root):
        with file.open("rb") as stream:
            content = stream.read(_LARGE + 1)
        if len(content) > _LARGE:
            mentioned |= names
        defined.update(_DEFINED.findall(content))
        mentioned.update(wanted[key] for key in wanted if key in content and alone[key].search(content))
    return Spotted(frozenset(mentioned), frozenset(name.decode("utf-8", "replace") for name in defined))


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        files = (Path(folder, name) for name in names if not name.endswith(_NO_YAML))
        yield from (file for file in files if file.is_file())
