"""The seam: the one file that imports lm_eval. It finds tasks, builds them and lends out their parts.

Task objects are handed on as they are; nothing outside needs lm_eval's own types.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import io
import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import lm_eval.tasks
import lm_eval.utils
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean, stderr_for_metric
from lm_eval.api.registry import METRIC_REGISTRY
from lm_eval.api.task import ConfigurableTask
from lm_eval.api.task import Task as LmEvalTask
from lm_eval.config.group import GroupConfig
from lm_eval.config.task import TaskConfig
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import Entry, Kind, TaskIndex
from lm_eval.tasks._yaml_loader import load_yaml

from evalkit.documents import document
from evalkit.errors import ConfigError, CouldNotDo, DataNotFound, EvalkitError, UsageError, nearest
from evalkit.registry.conversation import Conversation, Conversational
from evalkit.registry.data import DataSource
from evalkit.registry.origin import Origin
from evalkit.registry.taskindex import Listing
from evalkit.registry.templates import Templates

__all__ = [
    "BUILTIN_TASKS",
    "GROUP_KEYS",
    "TASK_KEYS",
    "Factory",
    "Index",
    "Kind",
    "Manager",
    "TaskFiles",
    "aggregate",
    "group_figures",
    "hash_json",
    "hash_text",
    "known_metric",
    "make_instance",
    "metric_names",
    "render",
    "rendering",
    "runs_code_here",
    "sample_size",
    "say",
    "version",
    "written",
]

BUILTIN_TASKS = Path(lm_eval.tasks.__file__).resolve().parent
TASK_KEYS = frozenset(f.name for f in fields(TaskConfig)) | {"include", "class", "tag", "group", "task_list"}
GROUP_KEYS = frozenset(f.name for f in fields(GroupConfig)) | {"include", "tag"}

_BOOTSTRAP_ITERATIONS = 100_000
_CAPPED_BOOTSTRAPS = ("bleu", "chrf", "chrf++", "ter")

logging.getLogger("lm_eval").addHandler(logging.NullHandler())

Index = dict[str, Entry]


def version() -> str:
    return importlib.metadata.version("lm_eval")


# ── templates ────────────────────────────────────────────────────────────────


_templates = Templates(lm_eval.utils.env)
_current: ContextVar[Templates | None] = ContextVar("templates", default=None)
_render_anew = lm_eval.utils.apply_template


def _apply_template(template: str, doc: Mapping[str, Any]) -> str:
    """Outside `rendering` this is lm-eval's own function, so that nothing else in the process changes."""
    templates = _current.get()
    if templates is None:
        return str(_render_anew(template, doc))
    return templates.render(template, doc)


lm_eval.utils.apply_template = _apply_template


@contextlib.contextmanager
def rendering() -> Iterator[None]:
    """Render templates in a sandbox, each compiled once. No template of lm-eval's needs more than it allows."""
    token = _current.set(_templates)
    try:
        yield
    finally:
        _current.reset(token)


def render(template: str, doc: Mapping[str, Any]) -> str:
    """A template of evalkit's own keys over a document."""
    return _templates.render(template, doc)


# ── finding and building tasks ───────────────────────────────────────────────


_KINDS = {"task": Kind.TASK, "class": Kind.PY_TASK, "group": Kind.GROUP, "tag": Kind.TAG}


def _entry(listing: Listing) -> Entry:
    """As in lm-eval's index; of the configuration, which is read when the task is built, only what is asked before."""
    path = BUILTIN_TASKS / listing.file if listing.file is not None else None
    kind = _KINDS[listing.kind]
    return Entry(name=listing.name, kind=kind, yaml_path=path, cfg=listing.facts, tags=set(listing.tags))


def written(entry: Entry) -> Mapping[str, Any]:
    """The whole configuration of a task or group: lm-eval's own entries hold only part of it. Empty for a tag."""
    if entry.yaml_path is None or not entry.yaml_path.is_relative_to(BUILTIN_TASKS):
        return entry.cfg or {}
    return dict(load_yaml(entry.yaml_path, resolve_func=False))


def _index_of(folder: Path, left_out: Collection[Path]) -> Index:
    """As TaskIndex.build, without the files that are left out: reading them may never end."""
    if not left_out:
        built: Index = TaskIndex.build([folder])
        return built
    index: Index = {}
    for path in TaskIndex._iter_yaml_files(folder):
        if path.resolve() not in left_out:
            with contextlib.suppress(Exception):
                TaskIndex.process_cfg(load_yaml(path, resolve_func=False), path, index)
    return index


class Manager(TaskManager):  # type: ignore[misc]
    """lm-eval's task manager over an index of ours, with tags joined and data taken from the mirror."""

    def __init__(
        self,
        builtin: Mapping[str, Listing],
        shipped: Path,
        user_folders: Sequence[Path],
        factory: Factory,
        configs: Mapping[str, Mapping[str, Any]] | None = None,
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
        """Later folders win over earlier ones by name, but a tag keeps the tasks it had (lm-eval drops them)."""
        index: Index = {name: _entry(listing) for name, listing in builtin.items()}
        for folder in folders:
            found = _index_of(folder, left_out)
            for name, entry in found.items():
                known = index.get(name)
                if known is not None and known.kind is Kind.TAG and entry.kind is Kind.TAG:
                    if folder in user_folders and entry.tags - known.tags:
                        added = ", ".join(sorted(entry.tags - known.tags)[:3])
                        self.notes.append(f"{folder} adds {added} to lm-eval's tag {name} ({len(known.tags)} tasks)")
                    known.tags |= entry.tags
                    continue
                if known is not None and folder in user_folders:
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
        entry = TaskIndex.entry_from_path(Path(path))
        return entry.name if entry is not None else path

    @staticmethod
    def _check_duplicates(built: list[Any]) -> None:
        """A task asked for twice, alone and in a group, is simply run once.

        lm-eval's check is kept for its side effect: reading `task_name` draws from `random`, and a task that shuffles
        with `random` must find it as lm-eval would leave it.
        """
        with contextlib.suppress(ValueError):
            TaskManager._check_duplicates(built)


class _OwnData:
    """Takes a task's data from the mirror, with errors in one line."""

    data_source: DataSource
    data_task: str
    data_folders: tuple[Path, ...] | None
    """Where local files may be read; None: anywhere, as lm-eval's own tasks may."""

    def download(self, *args: Any, **kwargs: Any) -> None:
        options: dict[str, Any] = dict(args[0]) if args and isinstance(args[0], Mapping) else {}
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


def runs_code_here(name: str) -> str:
    return (
        f"task {name} runs the model's code in the harness process (lm-eval's unsafe_code), and evalkit does not; "
        f"a task file with `sandbox: python` has it judged in the sandbox ({document('tasks.md')}), and humaneval does"
        " so already"
    )


class TaskFiles(Protocol):
    """What the rest of the registry knows about task files."""

    def is_users(self, path: Path | None) -> bool: ...

    def vet(self, path: Path) -> None: ...

    def prepare(self, config: dict[str, Any], origin: Origin) -> None: ...

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
        self._written_in: dict[str, Path] = {}
        """The group file in which a task is written out, by the task's name."""
        self.sources: dict[str, Path | None] = {}

    def build(self, entry: Entry, *, overrides: dict[str, Any] | None = None, registry: Index) -> Any:
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

    def _load_full_config(self, entry: Entry, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
        if entry.yaml_path is not None:
            self._files.vet(entry.yaml_path)
        config: dict[str, Any] = super()._load_full_config(entry, overrides)
        return config

    def _origin(self, entry: Entry, overrides: dict[str, Any] | None) -> Origin:
        """Which user's files wrote this task: its own, and the group's that overrides some of its keys."""
        file = entry.yaml_path or self._written_in.get(entry.name)
        group = next((path for path in reversed(self._groups) if self._files.is_users(path)), None)
        changed = frozenset(overrides or ()) - {"task"} if group is not None else frozenset()
        return Origin(file, self._files.is_users(file), group, changed)

    def _build_task(self, entry: Entry, overrides: dict[str, Any] | None) -> Any:
        if (entry.cfg or {}).get("unsafe_code"):
            raise CouldNotDo(runs_code_here(entry.name))
        origin = self._origin(entry, overrides)
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
                place = f"{origin.where}{line_of(origin.where, error)}"
                raise ConfigError(f"{place}: task {entry.name} cannot be built: {say(error)}") from error
            raise CouldNotDo(f"task {entry.name} cannot be loaded here: {say(error)}") from error
        self.sources[config["task"]] = origin.file
        return task

    def _construct(self, name: str, config: dict[str, Any], folders: tuple[Path, ...] | None) -> Any:
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

    def _build_group(self, name: str, config: dict[str, Any], overrides: dict[str, Any] | None, registry: Index) -> Any:
        if isinstance(config.get("task"), str):  # one member, which lm-eval takes for none
            config = {**config, "task": [config["task"]]}
        return super()._build_group(name, config, overrides, registry)

    def _build_group_members(
        self, members: list[Any], group: str, overrides: dict[str, Any] | None, registry: Index
    ) -> list[Any]:
        """Tasks written out inside a group file are entered in the index first, and so built like all others."""
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
        built: list[Any] = super()._build_group_members(listed, group, overrides, registry)
        return built


def line_of(path: Path | None, error: BaseException) -> str:
    """`:7` where the name that a template misses stands on line 7 of the task file, else nothing."""
    asked = re.search(r"'(\w+)' is undefined", str(error))
    if path is None or asked is None:
        return ""
    alone = re.compile(rf"(?<!\w){re.escape(asked.group(1))}(?!\w)")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((f":{number}" for number, line in enumerate(lines, 1) if alone.search(line)), "")


def known_metric(name: str) -> bool:
    """Whether lm-eval has this metric itself. Any other is fetched and run as code by the `evaluate` package."""
    return name in METRIC_REGISTRY


def metric_names() -> list[str]:
    return sorted(METRIC_REGISTRY)


def say(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:240]}" if text else type(error).__name__


# ── parts lent out ───────────────────────────────────────────────────────────


def make_instance(kind: str, doc: Any, arguments: tuple[Any, ...], index: int, metadata: tuple[Any, ...]) -> Any:
    return Instance(request_type=kind, doc=doc, arguments=arguments, idx=index, metadata=metadata)


def hash_text(text: Any) -> str:
    return str(lm_eval.utils.hash_string(text))


def hash_json(value: Any) -> str:
    import json

    return hash_text(json.dumps(value, indent=2, default=lm_eval.utils.handle_non_serializable, ensure_ascii=False))


def sample_size(size: int, limit: float | None) -> int | None:
    """How many documents `limit` asks for: a share below 1, else a number."""
    import math

    if limit is None:
        return None
    return math.ceil(size * limit) if limit < 1.0 else int(limit)


def aggregate(task: Any, metric: str, values: Sequence[Any]) -> tuple[float, float | None]:
    """One metric over all documents, with lm-eval's standard error where it has one."""
    function = task.aggregation().get(metric, mean)
    value = function(list(values))
    iterations = min(_BOOTSTRAP_ITERATIONS, 100) if metric in _CAPPED_BOOTSTRAPS else _BOOTSTRAP_ITERATIONS
    stderr = stderr_for_metric(metric=function, bootstrap_iters=iterations)
    if stderr is None or len(values) < 2:
        return value, None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), _one_process():
        return value, stderr(list(values))


@contextlib.contextmanager
def _one_process() -> Iterator[None]:
    """lm-eval's bootstrap would fork this process, threads and CUDA and all. The draws are the same without."""
    with mock.patch.dict(os.environ, {"DISABLE_MULTIPROC": "1"}):
        yield


def group_figures(group: Any, metrics: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    figures: Mapping[str, Any] = group.aggregate(dict(metrics))
    return figures
