"""What is compared: a name that was asked for, the tasks behind it, one metric, and how it weighs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from evalkit.errors import ConfigError, NotComparable, RunFolderError, UnknownTask, nearest
from evalkit.results import Run

__all__ = ["Target", "entry", "figure", "headline", "judged", "requested_names", "resolve", "shared_names"]

_PREFERRED = ("acc_norm", "acc", "exact_match", "pass@1", "prompt_level_strict_acc", "f1", "em")
_LOWER_IS_BETTER = (
    "perplexity",
    "word_perplexity",
    "byte_perplexity",
    "bits_per_byte",
    "wer",
    "cer",
    "ter",
    "brier_score",
)
_FILTERS = ("none", "strict-match", "get-answer", "create_test")


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    leaves: tuple[str, ...]
    metric: str
    """As results.json has it: `acc,none`."""
    higher_is_better: bool = True
    scale: tuple[float, float] | None = None
    """The metric's range where the run states it."""
    by_size: bool = True
    """Whether a group's documents all count the same, or its tasks do."""

    label: str = ""
    """What it is called where one name is looked at by several metrics."""

    @property
    def key(self) -> str:
        return self.label or self.name

    @property
    def sign(self) -> int:
        return 1 if self.higher_is_better else -1


def shared_names(runs: list[Run]) -> list[str]:
    """Names that every run was asked for and has, in the first run's order."""
    first, *others = (requested_names(run) for run in runs)
    return [name for name in first if all(name in other for other in others)]


def requested_names(run: Run) -> list[str]:
    """What a run was asked for and has. A group without a figure is only a list: its members stand for it."""
    return list(dict.fromkeys(name for asked in run.requested for name in _spelled_out(run, asked)))


def _spelled_out(run: Run, name: str) -> Iterator[str]:
    found = entry(run, name)
    if found is None:
        return
    if name in run.groups and not found.get("metrics") and found.get("members"):
        for member in found["members"]:
            yield from _spelled_out(run, str(member))
    else:
        yield name


def entry(run: Run, name: str) -> Mapping[str, Any] | None:
    """The entry of a task or group in results.json. A group's comes first: a leaf may share its name."""
    found = run.groups.get(name) or run.tasks.get(name)
    return found if isinstance(found, Mapping) else None


def headline(found: Mapping[str, Any]) -> str | None:
    """The metric a task is known by: what its run says, else the usual one, else the first."""
    metrics = list(found.get("metrics") or {})
    said = found.get("headline")
    if said in metrics:
        return str(said)

    def place(metric: str) -> tuple[int, int]:
        base, _, filter_name = metric.partition(",")
        return (
            _PREFERRED.index(base) if base in _PREFERRED else len(_PREFERRED),
            _FILTERS.index(filter_name) if filter_name in _FILTERS else len(_FILTERS),
        )

    return min(metrics, key=place) if metrics else None


def judged(found: Mapping[str, Any]) -> list[str]:
    """What judges said on the whole: `overall` of each rubric, or its dimensions where there is none."""
    metrics = found.get("metrics") or {}
    names = [name for name, said in metrics.items() if isinstance(said, Mapping) and "rubric" in said]
    return [name for name in names if name.startswith("overall,") or f"overall,{name.partition(',')[2]}" not in names]


def resolve(baseline: Run, candidate: Run, name: str, metric: str | None = None) -> Target:
    """The target of this name in both runs, or an error that says which of them lacks what."""
    here, there = _known(baseline, name), _known(candidate, name)
    chosen = _metric(baseline, candidate, name, metric)
    leaves = _leaves(baseline, name)
    if set(leaves) != set(others := _leaves(candidate, name)):
        odd = sorted(set(leaves) ^ set(others))
        raise NotComparable(f"{name} is made of other tasks in the two runs: {', '.join(odd[:5])} stand only in one")
    # A group may have a figure that some of its members have no part in: lm-eval leaves them out of it too.
    leaves = tuple(leaf for leaf in leaves if any(_has(run, leaf, chosen) for run in (baseline, candidate))) or leaves
    ours = _checked_figure(baseline, name, here, chosen, leaves)
    theirs = _checked_figure(candidate, name, there, chosen, leaves)
    usual = chosen.partition(",")[0] not in _LOWER_IS_BETTER
    said = [_better(found, usual) for found in (ours, theirs)]
    if metric is not None and None in said:
        raise ConfigError(
            f"{name}: {chosen} can't be held to anything: as its task has it, neither more nor less of it is better"
            " (higher_is_better in the task's metric_list says which)"
        )
    better = [usual if way is None else way for way in said]
    if better[0] != better[1]:
        raise NotComparable(f"{name}: {chosen} is better when higher in one run and when lower in the other")
    return Target(
        name=name,
        leaves=leaves,
        metric=chosen,
        higher_is_better=better[0],
        scale=_scale(ours) or _scale(theirs),
        by_size=_weighs_by_size(baseline, name, here, leaves, chosen),
    )


def _has(run: Run, leaf: str, metric: str) -> bool:
    return metric in ((entry(run, leaf) or {}).get("metrics") or {metric: None})


def _better(found: Mapping[str, Any], usual: bool) -> bool | None:
    said = found.get("higher_is_better", usual)
    return None if said is None else bool(said)


def figure(run: Run, name: str, metric: str) -> float | None:
    """The value that results.json reports, where it is one number."""
    found = ((entry(run, name) or {}).get("metrics") or {}).get(metric)
    value = found.get("value") if isinstance(found, Mapping) else found
    return float(value) if _is_number(value) else None


def _known(run: Run, name: str) -> Mapping[str, Any]:
    found = entry(run, name)
    if found is None:
        names = [*dict.fromkeys([*run.requested, *run.groups, *run.tasks])]
        hint = nearest(name, names) or f"; it has {', '.join(run.requested[:8]) or 'no task'}"
        raise UnknownTask(f"{name} is not in run {run.run_id}{hint}")
    return found


def _metric(baseline: Run, candidate: Run, name: str, asked: str | None) -> str:
    here = list((_known(baseline, name)).get("metrics") or {})
    there = list((_known(candidate, name)).get("metrics") or {})
    if not here and not there and (members := (_known(baseline, name)).get("members")):
        raise ConfigError(
            f"{name} is a list of tasks without a figure of its own; name its members: {_listed(members)}"
        )
    for run, metrics in ((baseline, here), (candidate, there)):
        if not metrics:
            raise RunFolderError(f"{run.path}: results.json has no figure of {name}")
    usual = headline(_known(baseline, name)) or ""
    if asked is None:
        chosen = usual
    else:
        known = [*dict.fromkeys([*here, *there])]
        matches = [m for m in known if m == asked] or [m for m in known if m.partition(",")[0] == asked]
        if not matches:
            raise ConfigError(f"{name} has no metric {asked}{nearest(asked, known) or f'; it has {_listed(known)}'}")
        if len(matches) > 1 and usual not in matches:
            raise ConfigError(f"{name}: {asked} could be {_listed(matches)}; write one of them")
        chosen = usual if usual in matches else matches[0]
    for run, metrics in ((baseline, here), (candidate, there)):
        if chosen not in metrics:
            raise RunFolderError(f"{run.path}: results.json has no {chosen} of {name}; it has {_listed(metrics)}")
    return chosen


def _checked_figure(
    run: Run, name: str, found: Mapping[str, Any], metric: str, leaves: tuple[str, ...]
) -> Mapping[str, Any]:
    for label in (name, *leaves):
        _refuse_nan(run, label)
    raw = found["metrics"][metric]
    said: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {"value": raw}
    value = said.get("value")
    if not _is_number(value):
        why = f": {said['reason']}" if said.get("reason") else ""
        raise RunFolderError(f"{run.path}: {metric} of {name} is {value!r}, not a number{why}")
    return said


def _refuse_nan(run: Run, name: str) -> None:
    """Unknown is null with a reason. A NaN was never written on purpose."""
    for metric, said in ((entry(run, name) or {}).get("metrics") or {}).items():
        parts = said if isinstance(said, Mapping) else {"value": said}
        for part in ("value", "stderr", "ci95"):
            values = parts.get(part)
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, float) and not math.isfinite(value):
                    what = metric if part == "value" else f"{part} of {metric}"
                    raise RunFolderError(f"{run.path}: {what} of {name} is {value}, not a number")


def _leaves(run: Run, name: str) -> tuple[str, ...]:
    if name not in run.groups:
        return (name,)
    leaves = tuple(dict.fromkeys(_walk(run, name, set())))
    if leaves:
        return leaves
    # A run that does not list its groups' members: the tasks named after the group, else lines of its own name.
    here = sorted(run.scores().column("task").unique().to_pylist())
    ordered = dict.fromkeys([*(task for task in run.tasks if task in here), *here])
    # `mmlu_pro_law` is no part of `mmlu` where `mmlu_pro` was asked for too.
    others = tuple(f"{other}_" for other in run.requested if other.startswith(f"{name}_"))
    named = tuple(task for task in ordered if task.startswith(f"{name}_") and not task.startswith(others))
    named = tuple(task for task in named if task not in run.requested) or named
    return (name,) if name in here or not named else named


def _walk(run: Run, name: str, seen: set[str]) -> Iterator[str]:
    members = (run.groups.get(name) or {}).get("members") or ()
    for member in map(str, members):
        if member in seen:
            continue
        seen.add(member)
        if member in run.groups and (run.groups[member] or {}).get("members"):
            yield from _walk(run, member, seen)
        else:
            yield member


def _weighs_by_size(run: Run, name: str, found: Mapping[str, Any], leaves: tuple[str, ...], metric: str) -> bool:
    """Said by the run, else by whichever of the two means is the group's figure. lm-eval's default is by size."""
    said = found.get("weight_by_size")
    if isinstance(said, bool) or len(leaves) < 2:
        return bool(said) if isinstance(said, bool) else True
    values = [figure(run, leaf, metric) for leaf in leaves]
    sizes = [(entry(run, leaf) or {}).get("n") for leaf in leaves]
    whole = figure(run, name, metric)
    if whole is None or any(v is None for v in values) or not all(_is_number(n) and n for n in sizes):
        return True
    known = [v for v in values if v is not None]
    counts = [float(n) for n in sizes if n is not None]
    sized = sum(v * n for v, n in zip(known, counts, strict=True)) / sum(counts)
    plain = sum(known) / len(known)
    return abs(whole - sized) <= abs(whole - plain)


def _scale(found: Mapping[str, Any]) -> tuple[float, float] | None:
    scale = found.get("scale")
    if isinstance(scale, Mapping):
        scale = [scale.get("min"), scale.get("max")]
    if isinstance(scale, list | tuple) and len(scale) == 2 and all(_is_number(end) for end in scale):
        low, high = float(scale[0]), float(scale[1])
        return (low, high) if low < high else None
    return None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
