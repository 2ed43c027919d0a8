"""Local files that a task reads as documents: beside its YAML, and only in folders that the user allowed.

A task's documents are shown to the model, which may be somebody else's server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataNotFound
from evalkit.types import TaskConfig

__all__ = ["READERS", "check_builder", "check_inside", "find_data"]

READERS = ("csv", "json", "parquet", "arrow", "text", "xml")
"""Formats that a task file may name without --allow-task-code: plain data without pickles."""
_REMOTE = ("http", "https", "hf", "s3", "gs", "gcs", "az", "abfs")
_PACKED = ("bz2", "gz", "gzip", "lz4", "lzma", "tar", "xz", "zip", "zstd")
"""What may stand before `::` in an address. Others, as `reference` and `file`, read what they name themselves."""
_REFUSED_OPTIONS = ("cache_dir", "download_config", "storage_options", "token")
_MOST_FILES = 10_000


def find_data(config: TaskConfig, writer: Path, folders: Sequence[Path] | None) -> None:
    """Replace the name of a file beside the task's YAML by its full path. Raise if it is missing or not allowed."""
    path = config.get("dataset_path")
    beside = writer.parent / path if isinstance(path, str) and path and not Path(path).is_absolute() else None
    if beside is not None and beside.is_dir():
        config["dataset_path"] = str(beside)
        check_inside([beside], folders, f"{writer}: dataset_path: {path}")
    of_files = beside is None or not beside.is_dir()
    of_files = of_files and isinstance(path, str) and path in READERS
    options = config.get("dataset_kwargs")
    if not isinstance(options, dict):
        return
    if folders is not None:
        for key in _REFUSED_OPTIONS:
            if key in options:
                raise ConfigError(f"{writer}: dataset_kwargs: {key} is not a task file's to set")
    for key in ("data_files", "data_dir"):
        if key in options:
            options[key] = _found(options[key], writer, folders, f"{writer}: {key}", must=of_files)


def _found(value: Any, writer: Path, folders: Sequence[Path] | None, where: str, must: bool) -> Any:
    if isinstance(value, list | tuple):
        return [_found(item, writer, folders, where, must) for item in value]
    if isinstance(value, Mapping):
        return {key: _found(item, writer, folders, where, must) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    if folders is not None:
        _check_packed(value, where)
    if _is_remote(value):
        return value
    packed, _, name = value.rpartition("::")
    name = name.removeprefix("file://").removeprefix("local://")
    path = Path(name).expanduser() if Path(name).is_absolute() or name.startswith("~") else writer.parent / name
    files = [path] if path.exists() else _matches(path)
    if files:
        check_inside(files, folders, f"{where}: {value}")
        return f"{packed}::{path}" if packed else str(path)
    if must and folders is not None:
        here = Path(name).exists() and not Path(name).is_absolute()
        hint = "; the one in the working directory is not taken: move it there" if here else ""
        raise DataNotFound(f"{where}: {value} is not beside the task file: {path} does not exist{hint}")
    return value


def _matches(pattern: Path) -> list[Path]:
    import glob

    if not glob.has_magic(str(pattern)):
        return []
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207  absolute patterns


def _is_remote(value: str) -> bool:
    last = value.rpartition("::")[2]
    return last.partition("://")[0].lower() in _REMOTE and "://" in last


def _check_packed(value: str, where: str) -> None:
    """`zip://a.csv::https://…` names an archive; what else can stand before `::` may read a file of this machine."""
    for part in value.split("::")[:-1]:
        if (kind := part.partition("://")[0].lower()) not in _PACKED:
            raise ConfigError(f"{where}: {value!r:.120}: {kind!r:.40} before :: is not read; {', '.join(_PACKED)} are")


def check_builder(builder: Any, folders: Sequence[Path], task: str) -> None:
    """Check the files that `datasets` would read, after it resolved patterns, README and defaults."""
    if type(builder).__module__.rpartition(".")[2] == "pandas":
        raise ConfigError(f"{task}: pickled data can run code when it is read; type --allow-task-code if you trust it")
    names = list(_names(getattr(builder.config, "data_files", None)))
    if len(names) > _MOST_FILES:
        raise ConfigError(f"{task}: {len(names)} data files; at most {_MOST_FILES} are read")
    local = []
    for name in names:
        _check_packed(name, task)
        if _is_remote(name):
            continue
        last = name.rpartition("::")[2]
        kind, sign, rest = last.partition("://")
        if sign and kind not in ("file", "local"):
            raise ConfigError(f"{task}: data file {name!r:.120}: {kind}:// is not read; {', '.join(_REMOTE)} are")
        local.append(Path(rest if sign else last))
    check_inside(local, folders, task)


def _names(files: Any) -> Iterator[str]:
    if isinstance(files, Mapping):
        for item in files.values():
            yield from _names(item)
    elif isinstance(files, str):
        yield files
    elif isinstance(files, Iterable):
        for item in files:
            yield from _names(item)


def check_inside(paths: Iterable[Path], folders: Sequence[Path] | None, where: str) -> None:
    """Links are resolved first, so a link that leads out of the folder is refused."""
    for path in paths if folders is not None else ():
        real = path.expanduser().resolve()
        if not any(real.is_relative_to(folder) for folder in folders or ()):
            raise ConfigError(
                f"{where} would read {real}, and a task file may read only below its own folder, --include-path and "
                f"--data-dir; to allow it, type --include-path {real.parent}"
            )
