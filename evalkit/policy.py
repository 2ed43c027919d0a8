"""What a gate tolerates: `gate.yaml`, read strictly.

confidence: 0.95            one-sided
tasks:
  gsm8k:
    metric: exact_match,strict-match
    max_drop: 0.01          absolute on the metric's scale, or "2%" of the baseline
    max_rise: 0.01          how far the share of cut, unfinished, unparsed or missing answers may rise; 1.0: any
    tier: critical          critical, supporting or advisory
  judged:                   a label of your own, where one task is held to several metrics
    task: instruct
    metric: overall,instruction-following
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from evalkit.errors import ConfigError, nearest
from evalkit.yamlfile import read_yaml

__all__ = ["DEFAULT_CONFIDENCE", "DEFAULT_DROP", "TIERS", "Drop", "Policy", "TaskPolicy", "Tier"]

Tier = Literal["critical", "supporting", "advisory"]
TIERS = ("critical", "supporting", "advisory")
DEFAULT_CONFIDENCE = 0.95

_POLICY_KEYS = ("confidence", "tasks")
_TASK_KEYS = ("metric", "max_drop", "max_rise", "tier", "task")


@dataclass(frozen=True, slots=True)
class Drop:
    """How much worse may be: absolute on the metric's scale, or a share of the baseline."""

    value: float
    relative: bool = False

    def __str__(self) -> str:
        return f"{self.value * 100:g}%" if self.relative else f"{self.value:g}"

    @property
    def typed(self) -> float | str:
        """As a policy file has it."""
        return str(self) if self.relative else self.value


DEFAULT_DROP = Drop(0.01)


@dataclass(frozen=True, slots=True)
class TaskPolicy:
    metric: str | None = None
    """None: the task's headline metric."""
    max_drop: Drop = DEFAULT_DROP
    max_rise: float = 0.01
    tier: Tier = "critical"
    task: str | None = None
    """The task or group, where the key is a label: one task may be held to several metrics."""


@dataclass(frozen=True, slots=True)
class Policy:
    confidence: float = DEFAULT_CONFIDENCE
    tasks: Mapping[str, TaskPolicy] = field(default_factory=dict)
    """Empty: every task that both runs were asked for, by its headline metric."""
    source: str | None = None

    @classmethod
    def load(cls, path: Path | str) -> Policy:
        content = read_yaml(path, f"--policy {path}")
        if content is None:
            raise ConfigError(
                f"--policy {path} is empty; write `tasks: {{gsm8k: {{max_drop: 0.01}}}}`, or leave the flag out to"
                " judge every shared task"
            )
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: Any, source: str | None = None) -> Policy:
        """A policy from what YAML or JSON holds. `source` is what errors name."""
        where = source or "policy"
        entries = _mapping(content, where, _POLICY_KEYS)
        tasks = entries.get("tasks")
        if tasks is not None and not isinstance(tasks, Mapping):
            raise ConfigError(f"{where}: `tasks` is {_kind(tasks)}; write `tasks: {{gsm8k: {{max_drop: 0.01}}}}`")
        return cls(
            confidence=_confidence(entries.get("confidence", DEFAULT_CONFIDENCE), where),
            tasks={str(name): _task(entry, f"{where}: tasks.{name}") for name, entry in (tasks or {}).items()},
            source=source,
        )


def _task(content: Any, where: str) -> TaskPolicy:
    entry = _mapping({} if content is None else content, where, _TASK_KEYS)
    task = entry.get("task")
    if task is not None and (not isinstance(task, str) or not task):
        raise ConfigError(f"{where}.task is {_kind(task)}; write the name of a task or group")
    metric = entry.get("metric")
    if metric is not None and (not isinstance(metric, str) or not metric):
        raise ConfigError(f"{where}.metric is {_kind(metric)}; write a name such as acc,none")
    return TaskPolicy(
        task=task,
        metric=metric,
        max_drop=_drop(entry["max_drop"], f"{where}.max_drop") if "max_drop" in entry else DEFAULT_DROP,
        max_rise=_share(entry.get("max_rise", TaskPolicy().max_rise), f"{where}.max_rise"),
        tier=_tier(entry.get("tier", "critical"), f"{where}.tier"),
    )


def _mapping(content: Any, where: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} is {_kind(content)}; it takes the keys {', '.join(known)}")
    for key in content:
        if key not in known:
            hint = nearest(str(key), known, n=1) or f"; known are {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")
    return content


def _confidence(value: Any, where: str) -> float:
    if not _is_number(value) or not 0.5 < value < 1:
        raise ConfigError(f"{where}: confidence is {value!r}; it is one-sided and lies between 0.5 and 1, as 0.95 does")
    return float(value)


def _drop(value: Any, where: str) -> Drop:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            percent = float(value.strip()[:-1])
        except ValueError:
            percent = math.nan
        if not 0 <= percent < 100:
            raise ConfigError(f'{where} is {value!r}; a relative drop is written "2%", from 0% to below 100%')
        return Drop(percent / 100, relative=True)
    if not _is_number(value) or value < 0 or not math.isfinite(value):
        raise ConfigError(
            f'{where} is {value!r}; write a number such as 0.01 (on the metric\'s scale) or a share such as "2%"'
        )
    return Drop(float(value))


def _share(value: Any, where: str) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ConfigError(f"{where} is {value!r}; it is a share of the documents, from 0 to 1 (1.0: not judged)")
    return float(value)


def _tier(value: Any, where: str) -> Tier:
    if value not in TIERS:
        hint = nearest(str(value), TIERS, n=1) or f"; it is one of {', '.join(TIERS)}"
        raise ConfigError(f"{where} is {value!r}{hint}")
    return cast(Tier, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    names: dict[type, str] = {list: "a list", str: "text", bool: "true or false", type(None): "empty"}
    return f"{names.get(type(value), 'a number')} ({value!r})"
