"""Checks task files that a user wrote, before anything in them runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evalkit.errors import ConfigError, nearest
from evalkit.registry.checking import METRICS as CHECK_METRICS
from evalkit.registry.lmeval import BUILTIN_TASKS, GROUP_KEYS, TASK_KEYS, known_metric, metric_names
from evalkit.registry.localdata import check_inside, find_data
from evalkit.registry.origin import Origin
from evalkit.registry.plainrows import dataset_of, read_jsonl
from evalkit.registry.reading import Reading, metric_list
from evalkit.registry.scorers import scorer_named
from evalkit.types import TaskConfig
from evalkit.yamlfile import compose_yaml, construct_yaml, read_bounded

__all__ = ["OWN_KEYS", "UserFiles", "top_level"]

OWN_KEYS = frozenset({"sandbox", "checks", "conversation", "questions", "reading", "scorer"})
"""Top-level keys of a task file that lm-eval does not know."""


@dataclass(slots=True)
class UserFiles:
    """Knows which files are the user's and whether their code may run, and prepares task configurations."""

    shipped: Path
    allow_task_code: bool = False
    readable: tuple[Path, ...] = ()
    """Folders that the user named. A task file may read files in them, and in its own folder."""
    broken: dict[Path, ConfigError] = field(default_factory=dict)
    """Files of the user's folders that cannot be read, and why. They are errors only if a task in them is requested."""
    _vetted: set[Path] = field(default_factory=set)

    def is_users(self, path: Path | None) -> bool:
        return path is not None and not any(
            path.resolve().is_relative_to(root) for root in (BUILTIN_TASKS, self.shipped.resolve())
        )

    def vet_folder(self, folder: Path) -> None:
        if not folder.exists():
            raise ConfigError(f"--include-path {folder}: no such folder")
        if not folder.is_dir():
            raise ConfigError(f"--include-path {folder}: a folder of YAML files is wanted, this is a file")
        for path in sorted(folder.glob("**/*.yaml")):
            try:
                self.vet(path)
            except ConfigError as error:
                self.broken[path.resolve()] = error

    def broken_with(self, name: str) -> ConfigError | None:
        """What is wrong with the file that names this task, if the file cannot be read."""
        for path, error in self.broken.items():
            if name in read_bounded(path, str(path), 64 << 20).decode("utf-8", "replace"):
                return error
        return None

    def vet(self, path: Path) -> None:
        """Check syntax, keys and code references of a user's file and of the files that it includes."""
        path = path.expanduser().resolve()
        if path in self._vetted or not self.is_users(path):
            return
        self._vetted.add(path)
        try:
            self._look_through(path)
        except ConfigError:
            self._vetted.discard(path)  # files that include this one are refused too
            raise

    def _look_through(self, path: Path) -> None:
        root = _parse(path)
        if root is None:
            return
        if not self.allow_task_code:
            for node in _walk(root):
                if node.tag == "!function":
                    raise ConfigError(
                        f"{path}:{node.start_mark.line + 1}: `!function {node.value}` runs Python code of yours; "
                        "type --allow-task-code if you trust it"
                    )
        values = construct_yaml(root, str(path), tags_as_text=True)
        if not isinstance(values, dict):
            return
        keys = {str(key.value): (key, value) for key, value in root.value}
        if not self.allow_task_code and values.get("unsafe_code", True) is not True:
            raise ConfigError(
                f"{path}: unsafe_code: code that lm-eval runs unprotected is named by `true`, and no task file lifts it"
            )
        if "task" in values or "group" in values:
            _check_keys(path, keys)
            _check_values(path, keys)
        # Of the values, not of the nodes: `<<: {include: x.yaml}` includes too.
        listed = values.get("include")
        for name in listed if isinstance(listed, list) else [listed] if listed is not None else []:
            line = f":{keys['include'][1].start_mark.line + 1}" if "include" in keys else ""
            included = path.parent / str(name)
            if not included.is_file():
                raise ConfigError(f"{path}{line}: include: {included} does not exist")
            self.vet(included)

    def prepare(self, config: TaskConfig, origin: Origin) -> None:
        """Take evalkit's own keys out of a configuration, check what a user wrote, find the data files."""
        metadata = config.get("metadata") or {}
        own = {key: config.pop(key) for key in sorted(OWN_KEYS) if config.get(key) is not None}
        if own:
            config["metadata"] = {**metadata, **own}
        if not self.allow_task_code:
            self._refuse_code(config, origin)
            metrics = origin.wrote("metric_list", config)
            if metrics is not None and not own.keys() & {"checks", "reading"}:
                _check_metrics(config, metrics)
        if "questions" in own:
            self._read_questions(config, own["questions"], origin)
        writer = origin.wrote("dataset_kwargs", config) or origin.wrote("dataset_path", config) or origin.file
        if writer is not None:
            find_data(config, writer, self.folders_for_data(origin))
        if "checks" in own:
            _prepare_checks(config)
        if "scorer" in own:
            scorer = scorer_named(own["scorer"], str(origin.where or config.get("task")))
            scorer.ready()
            config["process_results"] = scorer.process
        if "reading" in own:
            _prepare_reading(config, own["reading"], str(origin.where or config.get("task")))
        if own.keys() & {"checks", "conversation"}:
            _read_plainly(config)

    def _read_questions(self, config: TaskConfig, value: Any, origin: Origin) -> None:
        """Add the configuration of a table of questions. Keys of the task file take precedence."""
        from evalkit.registry.kinds.questions import from_task_file, table_of

        if origin.where is None:
            raise ConfigError(f"task {config.get('task')}: questions: stands in no file that a table could lie beside")
        check_inside([table_of(value, origin.where)], self.folders_for_data(origin), f"{origin.where}: questions")
        config.update(from_task_file(value, config, origin.where))

    def folders_for_data(self, origin: Origin) -> tuple[Path, ...] | None:
        """The folders in which this task may read local files; None: any."""
        if self.allow_task_code or not origin.of_user:
            return None
        written = [path.parent for path in (origin.file, origin.group) if path is not None]
        return tuple(folder.expanduser().resolve() for folder in (*written, *self.readable))

    def _refuse_code(self, config: TaskConfig, origin: Origin) -> None:
        """Refuse lm-eval's keys whose values are read or run as code outside of task files."""
        if (path := origin.wrote("use_prompt", config)) is not None:
            raise ConfigError(
                f"{path}: use_prompt: prompts of other packages and files are not read; write the template as "
                "doc_to_text, or type --allow-task-code if you trust it"
            )
        for key in ("class", "custom_dataset", "process_docs", "process_results"):
            path = origin.wrote(key, config)
            if path is not None and isinstance(config[key], str) and not config[key].startswith("evalkit."):
                raise ConfigError(
                    f"{path}: {key}: {config[key]!r:.80} is text; code of yours stands behind `!function`, "
                    "and runs with --allow-task-code"
                )


def _prepare_checks(config: TaskConfig) -> None:
    """Let the checks score the answers instead of lm-eval."""
    config["process_results"] = "evalkit.registry.checking"
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in CHECK_METRICS]
    config["metric_list"] = metrics


def _prepare_reading(config: TaskConfig, value: Any, where: str) -> None:
    """Let the rules of the official script score the answers."""
    rules = Reading.read(value, where)
    if rules.official is not None:
        config["process_results"] = "evalkit.registry.reading"
        config["metric_list"] = metric_list(rules.rules)


def _read_plainly(config: TaskConfig) -> None:
    """Read the data file row by row: checks and messages differ between rows, and a table has one schema."""
    options = config.get("dataset_kwargs") or {}
    files, split = options.get("data_files"), config.get("test_split") or "test"
    path = files.get(split) if isinstance(files, dict) else files
    if "custom_dataset" in config or config.get("dataset_path") != "json":
        return
    if isinstance(path, str) and path.endswith(".jsonl"):
        config["custom_dataset"] = dataset_of(read_jsonl, Path(path), split)


def _check_metrics(config: TaskConfig, path: Path) -> None:
    """A metric that lm-eval does not have would be fetched and run as code."""
    metrics = config.get("metric_list")
    for item in metrics if isinstance(metrics, list) else []:
        name = item.get("metric") if isinstance(item, dict) else None
        if isinstance(name, str) and (item.get("hf_evaluate") or not known_metric(name)):
            raise ConfigError(
                f"{path}: metric_list: {name!r} is none of lm-eval's metrics{nearest(name, metric_names())}; "
                "type --allow-task-code if it is one of the evaluate package's, whose code would be fetched and run"
            )


def top_level(path: Path) -> dict[str, str | None]:
    """The text values at the top level of a YAML file, without running anything in it."""
    root = _parse(path)
    if not isinstance(root, yaml.MappingNode):
        return {}
    return {str(key.value): value.value if isinstance(value, yaml.ScalarNode) else None for key, value in root.value}


_WANTED: dict[str, tuple[type, str]] = {
    "metric_list": (yaml.SequenceNode, "a list"),
    "filter_list": (yaml.SequenceNode, "a list"),
    "generation_kwargs": (yaml.MappingNode, "a mapping"),
    "dataset_kwargs": (yaml.MappingNode, "a mapping"),
    "fewshot_config": (yaml.MappingNode, "a mapping"),
    "metadata": (yaml.MappingNode, "a mapping"),
}
_OUTPUT_TYPES = ("generate_until", "loglikelihood", "loglikelihood_rolling", "multiple_choice")


def _check_values(path: Path, keys: dict[str, tuple[Any, Any]]) -> None:
    for name, (_, node) in keys.items():
        where = f"{path}:{node.start_mark.line + 1}: {name}"
        kind, expected = _WANTED.get(name, (yaml.Node, ""))
        plain = isinstance(node, yaml.ScalarNode)
        if not isinstance(node, kind) and not (plain and node.tag in ("!function", "tag:yaml.org,2002:null")):
            raise ConfigError(f"{where}: {expected} is wanted")
        if name == "output_type" and (not plain or node.value not in _OUTPUT_TYPES):
            raise ConfigError(f"{where}: {node.value!r} is none of {', '.join(_OUTPUT_TYPES)}")
        is_name = plain and node.tag == "tag:yaml.org,2002:str" and node.value
        if (name == "group" or (name == "task" and "group" not in keys)) and not is_name:
            raise ConfigError(f"{where}: a name is wanted")
        if name in ("num_fewshot", "repeats") and not (plain and node.value.isdecimal()):
            raise ConfigError(f"{where}: a whole number is wanted")


def _check_keys(path: Path, keys: dict[str, tuple[Any, Any]]) -> None:
    is_group = "group" in keys
    known = (GROUP_KEYS | TASK_KEYS if is_group else TASK_KEYS) | OWN_KEYS
    for name, (node, _) in keys.items():
        if name not in known:
            raise ConfigError(
                f"{path}:{node.start_mark.line + 1}: unknown key {json.dumps(name)}{nearest(name, known)}"
            )


def _parse(path: Path) -> yaml.Node | None:
    return compose_yaml(read_bounded(path, str(path)), str(path))


def _walk(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, since an alias may refer to a node that contains it."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
