"""Which tasks, groups and tags lm-eval's 14,000 task files define. Built once for each version and kept on disk.

The names and what each stands for are those of lm-eval's own index (`TaskIndex.build`), which takes five times as long
and needs lm_eval to be imported. The file on disk is JSON with a digest: a damaged one is built anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.types import TaskConfig
from evalkit.usercache import user_cache, write_cache

__all__ = ["Listing", "builtin_folder", "builtin_index", "index_folder"]

_FORMAT = 1
_KEPT = 4
"""The number of versions and environments whose files stay in the cache folder."""
_FACTS = ("num_fewshot", "unsafe_code")
"""Keys of a task that are needed before it is built."""
_LEFT_OUT = ("__pycache__", ".ipynb_checkpoints")


@dataclass(frozen=True, slots=True)
class Listing:
    """A name in the index: its kind and its file."""

    name: Any
    """Usually text; in some files a number."""
    kind: str
    """task, class (a task written in Python), group or tag."""
    file: str | None
    """Below lm-eval's tasks folder; None for a tag."""
    tags: set[str] = field(default_factory=set)
    """The tags of a task or group; the tasks of a tag."""
    facts: TaskConfig = field(default_factory=dict)


@functools.lru_cache(maxsize=1)
def builtin_folder() -> Path | None:
    """lm-eval's folder of tasks, found without importing lm_eval; None where it is not installed."""
    spec = importlib.util.find_spec("lm_eval")
    places = spec.submodule_search_locations if spec is not None else None
    folder = Path(places[0]).resolve() / "tasks" if places else None
    return folder if folder is not None and folder.is_dir() else None


def builtin_index(enough: Set[str] | None = None) -> Mapping[Any, Listing]:
    """All of lm-eval's names, from the cache if possible; or only those of the folders `enough`."""
    folder = builtin_folder()
    if folder is None:
        return {}
    if enough is not None:
        names: dict[Any, Listing] = {}
        for part in sorted(enough):
            names = {**index_folder(folder / part, folder), **names}
        return names
    cache = user_cache()
    kept = _kept(folder, cache)
    return kept if kept is not None else _built(folder, cache)


@functools.lru_cache(maxsize=1)
def _built(folder: Path, cache: Path | None) -> Mapping[Any, Listing]:
    """All names, read from the task files and kept for the next process."""
    index, stamp = index_folder(folder), _stamp(folder)
    if stamp is not None and cache is not None and write_cache(_file(cache, stamp), _as_bytes(index, stamp)):
        _forget_old(cache)
    return index


@functools.lru_cache(maxsize=1)
def _kept(folder: Path, cache: Path | None) -> Mapping[Any, Listing] | None:
    stamp = _stamp(folder)
    return _read(_file(cache, stamp), stamp) if stamp is not None and cache is not None else None


def _file(cache: Path, stamp: str) -> Path:
    return cache / f"tasks-{hashlib.blake2b(stamp.encode(), digest_size=8).hexdigest()}.json"


# ── the files ────────────────────────────────────────────────────────────────


def index_folder(root: Path, tasks: Path | None = None) -> dict[Any, Listing]:
    """The index of one folder by lm-eval's rules: in order of paths, the first of a name wins, broken ones are skipped.

    `tasks`: the folder of all tasks, where `root` lies inside it.
    """
    index: dict[Any, Listing] = {}
    read = _Reader()
    for path in sorted(_yaml_files(root)):
        with contextlib.suppress(Exception):
            _enter(read.merged(path, set()), os.path.relpath(path, tasks or root), index)
    return index


def _yaml_files(root: Path) -> Iterator[str]:
    if any(part in _LEFT_OUT for part in root.parts):
        return
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in _LEFT_OUT]
        yield from (os.path.join(folder, name) for name in names if name.endswith(".yaml"))  # noqa: PTH118  14,000 times


class _Reader:
    """Reads task files with the files that they include. An included file is parsed once."""

    def __init__(self) -> None:
        import yaml

        base: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

        class Loader(base):  # type: ignore[misc]
            pass

        Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
        self._load, self._loader = yaml.load, Loader
        self._parsed: dict[str, TaskConfig] = {}

    def merged(self, path: str, seen: set[str]) -> TaskConfig:
        path = os.path.normpath(path)
        if path in seen:
            raise ValueError(f"{path} includes itself")
        seen.add(path)
        content = self._content(path)
        if "include" not in content:
            return content
        included = content["include"]
        values: TaskConfig = {}
        for name in included if isinstance(included, list) else [included]:
            inner = self.merged(os.path.join(os.path.dirname(path), name), seen)  # noqa: PTH118, PTH120
            values.update((key, value) for key, value in inner.items() if key != "task_list")
        values.update((key, value) for key, value in content.items() if key != "include")
        return values

    def _content(self, path: str) -> TaskConfig:
        if path not in self._parsed:
            with open(path, "rb") as file:  # noqa: PTH123  14,000 times
                content = self._load(file.read(), Loader=self._loader)
            if not isinstance(content, dict):
                raise TypeError(f"{path} is no mapping")
            if not path.endswith(".yaml") or "task" not in content:
                self._parsed[path] = content
            return content
        return self._parsed[path]


def _enter(values: TaskConfig, file: str, index: dict[Any, Listing]) -> None:
    kind = "class" if "class" in values else "group" if "group" in values else "task"
    name = values["group"] if kind == "group" else values["task"]
    if name in index:
        return
    tags = values.get("tag")
    listed = [] if not tags else tags if isinstance(tags, list) else [tags]
    facts = {key: values[key] for key in _FACTS if isinstance(values.get(key), int)}
    index[name] = Listing(name, kind, file, set(listed), facts)
    if kind != "group":
        for tag in listed:
            index.setdefault(tag, Listing(tag, "tag", None)).tags.add(name)


# ── the cache ────────────────────────────────────────────────────────────────


def _stamp(folder: Path) -> str | None:
    """The version and environment of the index; None for a checkout of lm-eval, whose files may change."""
    try:
        package = importlib.metadata.distribution("lm_eval")
        origin = json.loads(package.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            return None
        record = package.read_text("RECORD") or ""
        installed = hashlib.blake2b(record.encode(), digest_size=16).hexdigest()
        return json.dumps([_FORMAT, package.version, str(folder), folder.stat().st_mtime_ns, installed])
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return None


def _as_bytes(index: Mapping[Any, Listing], stamp: str) -> bytes:
    names = [[entry.name, entry.kind, entry.file, sorted(entry.tags), entry.facts] for entry in index.values()]
    content = json.dumps(names, ensure_ascii=False, separators=(",", ":")).encode()
    return b"\n".join((_digest(stamp, content).encode(), content))


def _digest(stamp: str, content: bytes) -> str:
    return hashlib.blake2b(stamp.encode() + b"\0" + content, digest_size=16).hexdigest()


def _read(file: Path, stamp: str) -> dict[Any, Listing] | None:
    try:
        digest, _, content = file.read_bytes().partition(b"\n")
        if digest.decode() != _digest(stamp, content):
            return None
        return {
            name: Listing(name, kind, path, set(tags), facts) for name, kind, path, tags, facts in json.loads(content)
        }
    except (OSError, ValueError, TypeError):
        return None


def _forget_old(cache: Path) -> None:
    with contextlib.suppress(OSError):
        files = sorted(cache.glob("tasks-*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[_KEPT:]:
            file.unlink()
