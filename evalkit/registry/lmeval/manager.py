"""lm-eval's task manager over evalkit's index."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from evalkit.registry.lmeval.factory import Factory
from evalkit.registry.lmeval.index import Entry, Index, Kind, index_of, listed, name_in_file
from evalkit.registry.taskindex import Listing
from evalkit.types import JsonObject

__all__ = ["Manager"]


class Manager(TaskManager):  # type: ignore[misc]
    """lm-eval's task manager over an index of ours, with tags joined and data taken from the mirror."""

    def __init__(
        self,
        builtin: Mapping[str, Listing],
        shipped: Path,
        user_folders: Sequence[Path],
        factory: Factory,
        configs: Mapping[str, JsonObject] | None = None,
        left_out: Collection[Path] = (),
    ) -> None:
        """`builtin`: lm-eval's own names. `configs`: tasks that stand in no file, by name.

        `left_out`: files of the user's that are broken.
        """
        self.include_path = None
        self.metadata = None
        self._factory = factory
        self.notes: list[str] = []
        self._index = self._join(builtin, [shipped, *user_folders], user_folders, left_out)
        for name, config in (configs or {}).items():
            self._index[name] = Entry(name=name, kind=Kind.TASK, yaml_path=None, cfg=dict(config))
        self._all_tasks = sorted(self._index)

    def _join(
        self,
        builtin: Mapping[str, Listing],
        folders: Sequence[Path],
        user_folders: Sequence[Path],
        left_out: Collection[Path],
    ) -> Index:
        """Join indexes. Later folders replace names of earlier ones, but a tag keeps its tasks (lm-eval drops them)."""
        index: Index = {name: listed(listing) for name, listing in builtin.items()}
        for folder in folders:
            entries = index_of(folder, left_out)
            for name, entry in entries.items():
                earlier = index.get(name)
                if earlier is not None and earlier.kind is Kind.TAG and entry.kind is Kind.TAG:
                    if folder in user_folders and entry.tags - earlier.tags:
                        added = ", ".join(sorted(entry.tags - earlier.tags)[:3])
                        self.notes.append(f"{folder} adds {added} to lm-eval's tag {name} ({len(earlier.tags)} tasks)")
                    earlier.tags |= entry.tags
                    continue
                if earlier is not None and folder in user_folders:
                    self.notes.append(f"{entry.yaml_path or folder} replaces the task {name} of lm-eval")
                index[name] = replace(entry, tags=set(entry.tags))
        return index

    @property
    def index(self) -> Index:
        return self._index

    @property
    def factory(self) -> Factory:
        own: Factory = self._factory
        return own

    def name_in_file(self, path: str) -> str:
        return name_in_file(path)

    @staticmethod
    def _check_duplicates(built: list[Any]) -> None:
        """A task that is requested twice, alone and in a group, is run once.

        lm-eval's check is kept for its side effect: reading `task_name` draws from `random`, and a task that shuffles
        with `random` must find it as lm-eval would leave it.
        """
        with contextlib.suppress(ValueError):
            TaskManager._check_duplicates(built)
