"""The type of a kind of file that can be evaluated without a task file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.types import TaskConfig

__all__ = ["NO_OPTIONS", "FileKind", "FileOptions"]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The flags for reading a file of questions and answers."""

    input: str | None = None
    """--input: the column of the questions."""
    target: str | None = None
    """--target: the column of the answers."""
    score: str | None = None
    """--score: how an answer is compared with the target."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What stands behind the path in the task's name."""


NO_OPTIONS = FileOptions()


@dataclass(frozen=True, slots=True)
class FileKind:
    name: str
    config: Callable[[str, Path, FileOptions], TaskConfig] = field(repr=False)
    """Makes the task's configuration, with the keys of a task file, from its name, its file and the flags."""
    prefixes: tuple[str, ...] = ()
    """Prefixes before the file's path, such as `alpaca:`."""
    suffixes: tuple[str, ...] = ()
    """Endings of files that need no prefix."""
    endings: tuple[str, ...] = (".json", ".jsonl")
    """Endings of files that such a task may have."""
    wanted: str = ".json or .jsonl"
    example: str = "file.jsonl"
    by_stem: bool = False
    """Whether the task is called as its file without folder and ending; else as it was typed."""
    settings: tuple[str, ...] = ()
    """What may stand behind the path, as in `FILE?rules=korquad`."""
    takes_options: bool = False
    """Whether the flags of FileOptions apply to it."""
