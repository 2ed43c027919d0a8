"""`evalkit data`: checks what a mirror can serve, and makes a mirror from the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import DataNotFound, OutputError
from evalkit.registry.data import DataSource, is_hub_id, mirror_configs, quiet

__all__ = ["Pulled", "Served", "check_data", "pull_data"]


@dataclass(frozen=True, slots=True)
class Served:
    """Whether a mirror has the data that a benchmark needs."""

    benchmark: str
    data: tuple[str, ...]
    """Hub ids."""
    documents: int | None
    """Documents of the evaluated split; None if something is missing or broken."""
    problem: str | None = None
    """The first problem and its place."""
    configs: int = 0


@dataclass(frozen=True, slots=True)
class Pulled:
    data: str
    config: str | None
    rows: int
    folder: Path


@dataclass(frozen=True, slots=True)
class _Need:
    path: str
    config: str | None
    evaluated: str
    splits: tuple[str, ...]
    """All splits that the task reads, with the evaluated one."""


def check_data(folder: Path, include_paths: Sequence[str | Path] = ()) -> list[Served]:
    """Check every file that the shipped benchmarks read. Of parquet files, only the footers are read."""
    if not folder.is_dir():
        raise DataNotFound(f"{folder}: no such folder")
    return [_check(folder, name, needs) for name, needs in _needs(None, include_paths).items() if needs]


def pull_data(names: Sequence[str], to: Path, source: DataSource | None = None) -> Iterator[Pulled]:
    """Fetch the data that tasks read and write a mirror: parquet files, and a README that names them."""
    source = source or DataSource()
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--to {to}: cannot be made ({error.strerror})") from None
    wanted = {(need.path, need.config): name for name, needs in _needs(names, ()).items() for need in needs}
    for (path, config), task in wanted.items():
        yield _pull(path, config, task, to, source)


def _check(folder: Path, name: str, needs: Sequence[_Need]) -> Served:
    data = tuple(dict.fromkeys(need.path for need in needs))
    documents = 0
    for need in needs:
        try:
            rows = _rows(folder / need.path, need)
        except DataNotFound as error:
            return Served(name, data, None, str(error), len(needs))
        documents += rows
    return Served(name, data, documents, None, len(needs))


def _rows(folder: Path, need: _Need) -> int:
    """The number of rows of the evaluated split, after every file of every split was opened."""
    if not folder.is_dir():
        raise DataNotFound(f"{need.path} is missing")
    configs = mirror_configs(folder)
    name = need.config or ("default" if "default" in configs else next(iter(configs), "default"))
    if name not in configs:
        raise DataNotFound(f"{need.path}: config {name!r} is missing from {folder / 'README.md'}")
    counts: dict[str, int] = {}
    for split, pattern in configs[name]:
        counts[split] = counts.get(split, 0) + sum(map(_count, _files(folder, pattern)))
    for split in need.splits:
        if not counts.get(split):
            raise DataNotFound(f"{need.path} ({name}): split {split!r} has no rows in {folder}")
    return counts[need.evaluated]


def _files(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise DataNotFound(f"{folder / pattern} is missing")
    return files


def _count(path: Path) -> int:
    import pyarrow.parquet

    if path.suffix != ".parquet":
        with path.open("rb") as stream:
            return sum(1 for _ in stream)
    try:
        rows: int = pyarrow.parquet.read_metadata(path).num_rows
    except (OSError, ValueError) as error:
        raise DataNotFound(
            f"{path} is no parquet file, or half of one ({' '.join(str(error).split())[:120]})"
        ) from None
    return rows


# ── what tasks need ──────────────────────────────────────────────────────────


def _needs(names: Sequence[str] | None, include_paths: Sequence[str | Path]) -> dict[str, list[_Need]]:
    """The data sets that each benchmark's tasks need. Tasks with their own files need none."""
    from evalkit.registry.registry import Registry

    registry = Registry(include_paths)
    names = list(registry.cards) if names is None else names
    manager, _ = registry.manager(names)
    return {name: _of(name, manager.index) for name in names}


def _of(name: Any, index: Mapping[str, Any]) -> list[_Need]:
    from evalkit.registry.lmeval import Kind, written

    entry = index.get(name) if isinstance(name, str) else None
    if entry is not None and entry.kind is Kind.TAG:
        return [need for member in sorted(entry.tags) for need in _of(member, index)]
    config = written(entry) if entry is not None else name
    if not isinstance(config, Mapping):
        return []
    if "dataset_path" in config:
        need = _need(config)
        return [need] if need is not None else []
    members = config.get("task")
    needs: list[_Need] = []
    for member in [members] if isinstance(members, str) else members or []:
        inner = member
        if isinstance(member, Mapping):
            inner = next((member[key] for key in ("group", "task") if member.get(key) in index), member)
        needs += _of(inner, index)
    return needs


def _need(config: Mapping[str, Any]) -> _Need | None:
    path = config["dataset_path"]
    evaluated = config.get("test_split") or config.get("validation_split")
    if not is_hub_id(path) or not evaluated:
        return None
    splits = [config.get(key) for key in ("test_split", "validation_split", "training_split", "fewshot_split")]
    return _Need(path, config.get("dataset_name"), evaluated, tuple(dict.fromkeys(s for s in splits if s)))


# ── making a mirror ──────────────────────────────────────────────────────────


def _pull(path: str, config: str | None, task: str, to: Path, source: DataSource) -> Pulled:
    splits = source.load(path, config, {}, task)
    folder = to / path
    name = config or "default"
    rows = 0
    try:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, data in splits.items():
            target = folder / name / f"{split}-00000-of-00001.parquet"
            part = target.with_suffix(".part")
            with quiet():
                data.to_parquet(str(part))
            part.replace(target)
            rows += len(data)
        _declare(folder, path, name, list(splits))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return Pulled(path, config, rows, folder)


def _declare(folder: Path, path: str, name: str, splits: Sequence[str]) -> None:
    """Write the config into the README last, so that the README never names an incomplete file."""
    import yaml

    configs = {**mirror_configs(folder), name: [(split, f"{name}/{split}-*") for split in splits]}
    front = {
        "configs": [
            {"config_name": config, "data_files": [{"split": split, "path": pattern} for split, pattern in files]}
            for config, files in configs.items()
        ]
    }
    text = f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\nA copy of {path}, made by evalkit data pull.\n"
    part = folder / f"README.md.{os.getpid()}"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / "README.md")
    mirror_configs.cache_clear()
