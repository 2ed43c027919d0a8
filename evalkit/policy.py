"""What a gate tolerates: `gate.yaml`, read strictly.

confidence: 0.95            one-sided
tasks:
  gsm8k:
    metric: exact_match,strict-match
    max_drop: 0.01          absolute on the metric's scale, or "2%" of the baseline
    max_rise: 0.01          how far the share of cut, unfinished, unparsed or missing answers may rise; 1.0: any
    tier: critical          critical, supporting or advisory
    clean_only: true        without the documents that stand in training data (evalkit overlap --mark)
  judged:                   a label of your own, where one task is held to several metrics
    task: instruct
    metric: overall,instruction-following
rates:                      of evalkit rate --json: how far a rate may rise
  over-refusal:
    baseline: base.json     beside this file
    candidate: new.json
    max_rise: 0.02
    which: corrected        corrected by labels (the default), or raw
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field

from evalkit.errors import ConfigError, nearest
from evalkit.validation import Strict, describe, parse, refuse, shown
from evalkit.yamlfile import read_yaml

__all__ = ["DEFAULT_CONFIDENCE", "DEFAULT_DROP", "TIERS", "Drop", "Policy", "RatePolicy", "TaskPolicy", "Tier"]

Tier = Literal["critical", "supporting", "advisory"]
TIERS = ("critical", "supporting", "advisory")
DEFAULT_CONFIDENCE = 0.95


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
    clean_only: bool = False
    """Leave out the documents that stand in training data, as `evalkit overlap --mark` found."""
    task: str | None = None
    """The task or group, where the key is a label: one task may be held to several metrics."""


Which = Literal["raw", "corrected"]


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """How far a rate of `evalkit rate` may rise."""

    baseline: Path
    candidate: Path
    max_rise: float = 0.01
    which: Which = "corrected"
    tier: Tier = "critical"


@dataclass(frozen=True, slots=True)
class Policy:
    confidence: float = DEFAULT_CONFIDENCE
    tasks: Mapping[str, TaskPolicy] = field(default_factory=dict)
    """Empty: every task that both runs were asked for, by its headline metric."""
    source: str | None = None
    rates: Mapping[str, RatePolicy] = field(default_factory=dict)

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
        file = parse(_File, content, source or "policy")
        tasks = {
            name: TaskPolicy(
                entry.metric, entry.max_drop, entry.max_rise, entry.tier, clean_only=entry.clean_only, task=entry.task
            )
            for name, entry in file.tasks.items()
        }
        if taken := [name for name in file.rates if name in tasks]:
            raise ConfigError(f"{source or 'policy'}: rates: {taken[0]} is the name of a task too; take another")
        folder = Path(source).parent if source else Path()
        rates = {
            name: RatePolicy(folder / entry.baseline, folder / entry.candidate, entry.max_rise, entry.which, entry.tier)
            for name, entry in file.rates.items()
        }
        return cls(file.confidence, tasks, source, rates)


# ── the file ─────────────────────────────────────────────────────────────────


def _confidence(value: Any) -> float:
    if not _is_number(value) or not 0.5 < value < 1:
        refuse(f"is {shown(value)}; it is one-sided and lies between 0.5 and 1, as 0.95 does")
    return float(value)


def _drop(value: Any) -> Drop:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            percent = float(value.strip()[:-1])
        except ValueError:
            percent = math.nan
        if not 0 <= percent < 100:
            refuse(f'is {shown(value)}; a relative drop is written "2%", from 0% to below 100%')
        return Drop(percent / 100, relative=True)
    if not _is_number(value) or not 0 <= value <= sys.float_info.max:
        refuse(f'is {shown(value)}; write a number such as 0.01 (on the metric\'s scale) or a share such as "2%"')
    return Drop(float(value))


def _share(value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        refuse(f"is {shown(value)}; it is a share of the documents, from 0 to 1 (1.0: not judged)")
    return float(value)


def _tier(value: Any) -> Tier:
    if value not in TIERS:
        hint = nearest(value if isinstance(value, str) else "", TIERS, n=1) or f"; it is one of {', '.join(TIERS)}"
        refuse(f"is {shown(value)}{hint}")
    return cast(Tier, value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        refuse(f"is {describe(value)}; write true or false")
    return value


def _name(what: str) -> BeforeValidator:
    def check(value: Any) -> str | None:
        if value is not None and (not isinstance(value, str) or not value):
            refuse(f"is {describe(value)}; write {what}")
        return value

    return BeforeValidator(check)


def _entries(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        refuse(f"is {describe(value)}; write `tasks: {{gsm8k: {{max_drop: 0.01}}}}`")
    return {str(name): {} if entry is None else entry for name, entry in value.items()}


class _TaskEntry(Strict):
    metric: Annotated[str | None, _name("a name such as acc,none")] = None
    max_drop: Annotated[Drop, BeforeValidator(_drop)] = DEFAULT_DROP
    max_rise: Annotated[float, BeforeValidator(_share)] = TaskPolicy().max_rise
    tier: Annotated[Tier, BeforeValidator(_tier)] = "critical"
    task: Annotated[str | None, _name("the name of a task or group")] = None
    clean_only: Annotated[bool, BeforeValidator(_yes_or_no)] = False


def _which(value: Any) -> Which:
    if value not in ("raw", "corrected"):
        refuse(f"is {shown(value)}; write raw, or corrected where labels corrected both rates")
    return cast(Which, value)


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value:
        refuse(f"is {describe(value)}; write the path of a file of evalkit rate --json")
    return str(value)


def _rate_entries(value: Any) -> Any:
    if value is not None and not isinstance(value, Mapping):
        refuse(f"is {describe(value)}; write `rates: {{refusals: {{baseline: a.json, candidate: b.json}}}}`")
    return value or {}


class _RateEntry(Strict):
    baseline: Annotated[str, BeforeValidator(_path)]
    candidate: Annotated[str, BeforeValidator(_path)]
    max_rise: Annotated[float, BeforeValidator(_share)] = 0.01
    which: Annotated[Which, BeforeValidator(_which)] = "corrected"
    tier: Annotated[Tier, BeforeValidator(_tier)] = "critical"


class _File(Strict):
    confidence: Annotated[float, BeforeValidator(_confidence)] = DEFAULT_CONFIDENCE
    tasks: Annotated[Mapping[str, _TaskEntry], BeforeValidator(_entries)] = Field(default_factory=dict)
    rates: Annotated[Mapping[str, _RateEntry], BeforeValidator(_rate_entries)] = Field(default_factory=dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
