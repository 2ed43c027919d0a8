"""Builds lm-eval's tasks and groups, each after its file was vetted and its configuration prepared."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lm_eval.api.task import ConfigurableTask
from lm_eval.api.task import Task as LmEvalTask
from lm_eval.tasks._factory import TaskFactory

from evalkit.documents import document
from evalkit.errors import ConfigError, CouldNotDo, DataNotFound, EvalkitError, UsageError, nearest
from evalkit.registry.conversation import Conversation, Conversational
from evalkit.registry.data import DataSource
from evalkit.registry.lmeval.index import Entry, Index, Kind
from evalkit.registry.lmeval.parts import say
from evalkit.registry.lmeval.templates import rendering
from evalkit.registry.origin import Origin
from evalkit.types import TaskConfig

__all__ = ["Factory", "TaskFiles", "runs_code_here"]


def runs_code_here(name: str) -> str:
    return (
        f"task {name} runs the model's code in the harness process (lm-eval's unsafe_code), and evalkit does not; "
        f"a task file with `sandbox: python` has it judged in the sandbox ({document('tasks.md')}), and humaneval does"
        " so already"
    )


_CALLS_A_SERVICE = {
    "realtoxicityprompts": (
        "task realtoxicityprompts (lm-eval's) sends every answer to a paid web service, and a call that fails counts as"
        " 0; type --tasks realtoxicity for its prompts with word lists that run here, and `evalkit rate` for other"
        " detectors"
    )
}
"""lm-eval's tasks that score by a web service, and what to type instead."""


class TaskFiles(Protocol):
    """What the rest of the registry knows about task files."""

    def is_users(self, path: Path | None) -> bool: ...

    def vet(self, path: Path) -> None: ...

    def prepare(self, config: TaskConfig, origin: Origin) -> None: ...

    def folders_for_data(self, origin: Origin) -> tuple[Path, ...] | None: ...


class Factory(TaskFactory):  # type: ignore[misc]
    """Builds tasks after their files were vetted and their configurations prepared."""

    def __init__(self, data: DataSource, files: TaskFiles) -> None:
        super().__init__()
        self._data = data
        self._files = files
        self._groups: list[Path] = []
        """Files of the groups that are being built, the outermost first."""
        self._names: list[str] = []
        """Their names."""
        self.left_out: list[str] = []
        """What of a suite is left out because its data or a package is not at hand, a line each."""
        self._skips = False
        """Whether the group that is being built leaves such members out."""
        self._written_in: dict[str, Path] = {}
        """The group file in which a task is written out, by the task's name."""
        self.sources: dict[str, Path | None] = {}

    def build(self, entry: Entry, *, overrides: TaskConfig | None = None, registry: Index) -> Any:
        if entry.kind is not Kind.GROUP or entry.yaml_path is None:
            return super().build(entry, overrides=overrides, registry=registry)
        if entry.name in self._names:
            way = " → ".join((*self._names, entry.name))
            raise ConfigError(f"group {entry.name} is a member of itself ({way})")
        self._groups.append(entry.yaml_path)
        self._names.append(entry.name)
        try:
            return super().build(entry, overrides=overrides, registry=registry)
        finally:
            self._groups.pop()
            self._names.pop()

    def _load_full_config(self, entry: Entry, overrides: TaskConfig | None = None) -> TaskConfig:
        if entry.yaml_path is not None:
            self._files.vet(entry.yaml_path)
        config: TaskConfig = super()._load_full_config(entry, overrides)
        return config

    def _origin(self, entry: Entry, overrides: TaskConfig | None) -> Origin:
        """The user's files that define this task: its own, and that of a group which overrides some of its keys."""
        file = entry.yaml_path or self._written_in.get(entry.name)
        group = next((path for path in reversed(self._groups) if self._files.is_users(path)), None)
        changed = frozenset(overrides or ()) - {"task"} if group is not None else frozenset()
        return Origin(file, self._files.is_users(file), group, changed)

    def _build_task(self, entry: Entry, overrides: TaskConfig | None) -> Any:
        if (entry.cfg or {}).get("unsafe_code"):
            raise CouldNotDo(runs_code_here(entry.name))
        origin = self._origin(entry, overrides)
        if not origin.of_user and entry.name in _CALLS_A_SERVICE:
            raise CouldNotDo(_CALLS_A_SERVICE[entry.name])
        try:
            with rendering():
                config = self._load_full_config(entry, overrides)
                self._files.prepare(config, origin)
                task = self._construct(entry.name, config, self._files.folders_for_data(origin))
        except EvalkitError:
            raise
        except Exception as error:
            if "out of bounds for size 0" in str(error):  # lm-eval looks at the first document of each task
                raise UsageError(
                    f"{entry.name} has no documents: check its data set, its split and its process_docs"
                ) from error
            if origin.of_user:
                place = f"{origin.where}{_line_of(origin.where, error)}"
                raise ConfigError(f"{place}: task {entry.name} cannot be built: {say(error)}") from error
            hint = "; type `pip install 'lm-evalkit[math]'`" if "math" in str(error) and "verify" in str(error) else ""
            refused = CouldNotDo(f"task {entry.name} cannot be loaded here: {say(error)}{hint}")
            refused.not_at_hand = bool(hint)
            raise refused from error
        self.sources[config["task"]] = origin.file
        return task

    def _construct(self, name: str, config: TaskConfig, folders: tuple[Path, ...] | None) -> Any:
        for key in ("tag", "group", "task_list"):
            config.pop(key, None)
        base = config.get("class", ConfigurableTask)
        made = base
        if base.download in (LmEvalTask.download, ConfigurableTask.download):
            own = {"data_source": self._data, "data_task": name, "data_folders": folders}
            made = type(base.__name__, (_OwnData, base), own)
        spoken = (config.get("metadata") or {}).get("conversation")
        if spoken is not None:
            conversation = Conversation.read(spoken, str(name))
            made = type(base.__name__, (Conversational, made), {"conversation": conversation})
        if "class" not in config:
            return made(config=config)
        takes_config = "config" in inspect.signature(base.__init__).parameters
        task = made(config=config) if takes_config else made()
        if hasattr(task, "config") and hasattr(task.config, "task"):
            task.config.task = config["task"]
        return task

    def _build_group(self, name: str, config: TaskConfig, overrides: TaskConfig | None, registry: Index) -> Any:
        if isinstance(config.get("task"), str):  # lm-eval would read a single member as none
            config = {**config, "task": [config["task"]]}
        before, self._skips = self._skips, bool((config.get("metadata") or {}).get("skip_missing_data"))
        try:
            return super()._build_group(name, config, overrides, registry)
        finally:
            self._skips = before

    def _build_group_members(
        self, members: list[Any], group: str, overrides: TaskConfig | None, registry: Index
    ) -> list[Any]:
        """Add tasks that a group file defines inline to the index first, so that they are built like all others."""
        listed: list[Any] = []
        for member in members:
            if not isinstance(member, str | dict):
                raise ConfigError(f"group {group} lists {member!r:.80}: a name or a mapping with `task:` is wanted")
            kind = "group" if isinstance(member, dict) and "group" in member else "task"
            name = member if isinstance(member, str) else member.get(kind)
            if not isinstance(name, str) or not name:
                raise ConfigError(f"group {group} lists a {kind} without a name: {name!r:.80} is no text")
            if kind == "task" and name not in registry:
                if isinstance(member, str) or len(member) == 1:
                    raise ConfigError(
                        f"group {group} lists {name!r}, which is no task, group or tag{nearest(name, registry)}"
                    )
                inline = {**member, "task": f"{group}::{name}"}
                registry[inline["task"]] = Entry(name=inline["task"], kind=Kind.TASK, yaml_path=None, cfg=inline)
                if self._groups and self._files.is_users(self._groups[-1]):
                    self._written_in[inline["task"]] = self._groups[-1]
                member = inline
            listed.append(member)
        if self._skips:
            return self._build_those_with_data(listed, group, overrides, registry)
        built: list[Any] = super()._build_group_members(listed, group, overrides, registry)
        return built

    def _build_those_with_data(
        self, members: list[Any], group: str, overrides: TaskConfig | None, registry: Index
    ) -> list[Any]:
        """The members whose data and packages are at hand; others are named. Where none is, the first one's error."""
        built: list[Any] = []
        first: EvalkitError | None = None
        for member in members:
            try:
                built += super()._build_group_members([member], group, overrides, registry)
            except EvalkitError as error:
                if not error.not_at_hand:
                    raise
                first = first or error
                # What a group lacks is pulled by its name: the error names its first task alone.
                why = re.sub(r"(evalkit data pull )\S+", rf"\g<1>{member}", str(error))
                self.left_out.append(f"{group} goes without {member}: {why}")
        if not built and first is not None:
            raise first
        return built


class _OwnData:
    """A mixin that loads a task's data from the mirror, with errors in one line."""

    data_source: DataSource
    data_task: str
    data_folders: tuple[Path, ...] | None
    """Folders in which local files may be read; None: any, for lm-eval's own tasks."""

    def download(self, *args: Any, **kwargs: Any) -> None:
        options: dict[str, object] = dict(args[0]) if args and isinstance(args[0], Mapping) else {}
        options.pop("trust_remote_code", None)
        config = getattr(self, "config", None)
        if config is not None and callable(config.custom_dataset):
            self.dataset = config.custom_dataset(**(config.metadata or {}), **(config.dataset_kwargs or {}))
            return
        path, name = self.DATASET_PATH, self.DATASET_NAME  # type: ignore[attr-defined]
        self.dataset = self.data_source.load(path, name, options, self.data_task, self.data_folders)
        split = getattr(config, "test_split", None) or getattr(config, "validation_split", None)
        if split is not None and split not in self.dataset:
            raise DataNotFound(f"{self.data_task}: {path} has no split {split!r} (it has {', '.join(self.dataset)})")
        if split is not None and len(self.dataset[split]) == 0:
            raise DataNotFound(f"{self.data_task}: split {split!r} of {path} has no documents")


def _line_of(path: Path | None, error: BaseException) -> str:
    """`:7` if the name that a template lacks is on line 7 of the task file; otherwise empty."""
    asked = re.search(r"'(\w+)' is undefined", str(error))
    if path is None or asked is None:
        return ""
    alone = re.compile(rf"(?<!\w){re.escape(asked.group(1))}(?!\w)")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((f":{number}" for number, line in enumerate(lines, 1) if alone.search(line)), "")
