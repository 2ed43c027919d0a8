"""lm-eval's index of tasks, groups and tags: entries of its own files and of the user's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from dataclasses import fields
from functools import cache
from pathlib import Path

import lm_eval.tasks
from lm_eval.config.group import GroupConfig
from lm_eval.config.task import TaskConfig
from lm_eval.tasks._index import Entry, Kind, TaskIndex
from lm_eval.tasks._yaml_loader import load_yaml

from evalkit.registry.taskindex import Listing
from evalkit.types import JsonObject

__all__ = [
    "BUILTIN_TASKS",
    "GROUP_KEYS",
    "TASK_KEYS",
    "Entry",
    "Index",
    "Kind",
    "index_of",
    "listed",
    "name_in_file",
    "written",
]

BUILTIN_TASKS = Path(lm_eval.tasks.__file__).resolve().parent
TASK_KEYS = frozenset(f.name for f in fields(TaskConfig)) | {"include", "class", "tag", "group", "task_list"}
GROUP_KEYS = frozenset(f.name for f in fields(GroupConfig)) | {"include", "tag"}

logging.getLogger("lm_eval").addHandler(logging.NullHandler())

Index = dict[str, Entry]


_KINDS = {"task": Kind.TASK, "class": Kind.PY_TASK, "group": Kind.GROUP, "tag": Kind.TAG}


def listed(listing: Listing) -> Entry:
    """An entry of lm-eval's index. It has only the keys that are needed before the task is built."""
    path = _builtin_file(listing.file) if listing.file is not None else None
    kind = _KINDS[listing.kind]
    return Entry(name=listing.name, kind=kind, yaml_path=path, cfg=listing.facts, tags=set(listing.tags))


@cache
def _builtin_file(name: str) -> Path:
    """The path of a file of lm-eval's tasks: 15,000 of them, joined once and not for every registry of a process."""
    return BUILTIN_TASKS / name


def written(entry: Entry) -> JsonObject:
    """The whole configuration of a task or group: lm-eval's own entries hold only part of it. Empty for a tag."""
    if entry.yaml_path is None or not entry.yaml_path.is_relative_to(BUILTIN_TASKS):
        return entry.cfg or {}
    return dict(load_yaml(entry.yaml_path, resolve_func=False))


def index_of(folder: Path, left_out: Collection[Path]) -> Index:
    """Like TaskIndex.build, without the files `left_out`, which might take forever to read."""
    if not left_out:
        built: Index = TaskIndex.build([folder])
        return built
    index: Index = {}
    for path in TaskIndex._iter_yaml_files(folder):
        if path.resolve() not in left_out:
            with contextlib.suppress(Exception):
                TaskIndex.process_cfg(load_yaml(path, resolve_func=False), path, index)
    return index


def name_in_file(path: str) -> str:
    """The name of the task or group in a file; the path where it holds none."""
    entry = TaskIndex.entry_from_path(Path(path))
    return entry.name if entry is not None else path
