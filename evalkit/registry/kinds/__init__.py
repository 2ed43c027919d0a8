"""Files that are tasks as they are: `--tasks qa.csv`, `--tasks alpaca:FILE`. One module here is one kind.

A module has a KIND. To add a kind, add a module: nothing else names it. Other packages add theirs through the
entry-point group `evalkit.task_kinds`.
"""

from __future__ import annotations

import functools
import glob
import importlib
import os
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.errors import UsageError, nearest
from evalkit.plugins import PluginGroup
from evalkit.registry.kinds.kind import NO_OPTIONS, FileKind, FileOptions
from evalkit.types import TaskConfig

__all__ = [
    "NO_OPTIONS",
    "FileKind",
    "FileOptions",
    "config_of",
    "file_of",
    "kinds",
    "meant_by",
    "plain_name",
    "spell_out",
    "takes_options",
    "task_name",
]


PLUGINS: PluginGroup[FileKind] = PluginGroup("evalkit.task_kinds", FileKind, shipped={})


@functools.lru_cache(maxsize=1)
def kinds() -> tuple[FileKind, ...]:
    """Every kind of file that is a task: first those of the modules here by name, then those of plug-ins."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names if name != "kind"]
    return (*(module.KIND for module in modules), *PLUGINS.working().values())


@dataclass(frozen=True, slots=True)
class _Named:
    """The parts of a task's name such as `squad:dev.json?rules=korquad`."""

    kind: FileKind
    prefix: str
    path: Path
    settings: str = ""
    """What stands behind the path, the question mark with it."""


def _kind_of(name: str) -> _Named | None:
    """The parts of a task's name; None if it names no file of these kinds."""
    prefix, colon, rest = name.partition(":")
    for kind in kinds():
        if colon and f"{prefix}:" in kind.prefixes:
            path, mark, settings = rest.rpartition("?")
            if not (kind.settings and mark and settings.partition("=")[1]):
                path, mark, settings = rest, "", ""
            return _Named(kind, f"{prefix}:", Path(path).expanduser(), f"{mark}{settings}")
    if colon and prefix in PLUGINS.declared() and prefix not in PLUGINS.working():
        PLUGINS.find(prefix)  # raises, with the reason
    for kind in kinds():
        if name.lower().endswith(kind.suffixes) and not meant_by(name):
            return _Named(kind, "", Path(name).expanduser())
    return None


def _settings(name: str, named: _Named) -> dict[str, str]:
    """What is set behind the path, by its name."""
    settings: dict[str, str] = {}
    for part in named.settings.removeprefix("?").split("&") if named.settings else ():
        key, _, value = part.partition("=")
        if key not in named.kind.settings:
            raise UsageError(f"--tasks {name}: unknown setting {key!r}{nearest(key, named.kind.settings)}")
        settings[key] = value
    return settings


def task_name(name: str) -> str:
    """What the task behind a name is called: of some kinds of files the file's stem, else the name itself."""
    named = _kind_of(name)
    if named is not None and named.kind.by_stem:
        return named.path.stem
    return plain_name(name)


def file_of(name: str) -> Path | None:
    """The file that a task's name means; None if it names no file of these kinds."""
    named = _kind_of(name)
    return named.path if named is not None else None


def takes_options(name: str) -> bool:
    """Whether --input, --target and --score apply to this task."""
    named = _kind_of(name)
    return named is not None and named.kind.takes_options


def config_of(name: str, options: FileOptions = NO_OPTIONS) -> TaskConfig:
    """The task's configuration, with the keys of a task file."""
    named = _kind_of(name)
    assert named is not None
    if settings := _settings(name, named):
        options = replace(options, settings=settings)
    return named.kind.config(task_name(name), named.path, options)


def meant_by(name: str) -> str:
    """What to type instead of a file with a misspelt prefix; empty if the name is none."""
    path = name.partition(":")[2]
    if path.lower().endswith((".json", ".jsonl")) and Path(path).expanduser().is_file():
        return f"; for a file of instructions type alpaca:{path}, for one of questions and answers {path}"
    return ""


def spell_out(names: Iterable[str]) -> list[str]:
    """The names with patterns of files replaced by the files that they match, each name once.

    A file has one name, however its path is typed: `./qa.csv` and its absolute path are `qa.csv` in its own folder.
    """
    spelled: list[str] = []
    for name in names:
        named = _kind_of(name)
        if named is None:
            spelled.append(name)
            continue
        prefix, path = named.prefix, named.path
        if path.is_file():
            spelled.append(plain_name(name))
            continue
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        files = sorted(match for match in matches if Path(match).is_file())
        if not files:
            raise UsageError(f"--tasks {name}: {_missing(path, prefix, named.kind)}")
        spelled += [f"{prefix}{_plain_path(Path(file))}{named.settings}" for file in files]
    return list(dict.fromkeys(spelled))


def plain_name(name: str) -> str:
    """The unique name of a file that is a task; any other name unchanged."""
    named = _kind_of(name)
    if named is None or not named.path.is_file():
        return name
    return f"{named.prefix}{_plain_path(named.path)}{named.settings}"


def _plain_path(path: Path) -> str:
    """The path without `.` and `..`, below the working directory without that; the same file in any case."""
    short = Path(os.path.normpath(path))
    if short.is_absolute() and short.is_relative_to(Path.cwd()):
        short = short.relative_to(Path.cwd())
    return str(short) if short.is_file() and short.samefile(path) else str(path)


def _missing(path: Path, prefix: str, kind: FileKind) -> str:
    if not path.name or path.is_dir():
        return f"a file is wanted; {prefix}{path}/*.jsonl takes all files of a folder"
    if glob.has_magic(str(path)):
        return f"no file matches; type the path of a {kind.wanted} file, such as {prefix}{kind.example}"
    beside = []
    if path.parent.is_dir():
        beside = [other.name for other in path.parent.iterdir() if other.name.lower().endswith(kind.endings)]
    hint = nearest(path.name, beside) or f"; type the path of a {kind.wanted} file, such as {prefix}{kind.example}"
    return f"no such file{hint}"
