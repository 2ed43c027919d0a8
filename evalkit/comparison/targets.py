"""What is compared: a name that was asked for, the tasks behind it, one metric, and how it weighs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evalkit.errors import ConfigError, NotComparable, RunFolderError, UnknownTask, nearest
from evalkit.metrics import answers_averaged, facts, headline_order
from evalkit.results import Entry, GroupResult, Metric, Run

__all__ = [
    "Target",
    "better_when_higher",
    "figure",
    "headline",
    "judged",
    "requested_names",
    "resolve",
    "shared_names",
]

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

    strata: tuple[str, ...] = ()
    """Where it is a part of a task: only the documents of these strata."""
    without: frozenset[tuple[str, str]] = frozenset()
    """Documents that are left out, by task and hash."""
    label: str = ""
    """What it is called where one name is looked at by several metrics."""
    best_at: float | None = None
    """The best value, where neither more nor less is better. What is compared then is the distance from it."""
    candidate_metric: str = ""
    """The metric's name in the candidate, where that has another number of answers per document."""

    @property
    def key(self) -> str:
        return self.label or self.name

    @property
    def of_candidate(self) -> Target:
        """The same target as the candidate names it."""
        return replace(self, metric=self.candidate_metric, candidate_metric="") if self.candidate_metric else self

    @property
    def sign(self) -> int:
        return 1 if self.higher_is_better and self.best_at is None else -1


def shared_names(runs: list[Run]) -> list[str]:
    """Names that every run was asked for and has, in the first run's order."""
    first, *others = (requested_names(run) for run in runs)
    return [name for name in first if all(name in other for other in others)]


def requested_names(run: Run) -> list[str]:
    """What a run was asked for and has. A group without a figure is only a list: its members stand for it."""
    return list(dict.fromkeys(name for asked in run.requested for name in _spelled_out(run, asked)))


def _spelled_out(run: Run, name: str) -> Iterator[str]:
    entry = run.entry(name)
    if entry is None:
        return
    if isinstance(entry, GroupResult) and not entry.metrics and entry.members:
        for member in entry.members:
            yield from _spelled_out(run, member)
    else:
        yield name


def headline(entry: Entry) -> str | None:
    """The metric a task is known by: what its run says, else the usual one, else the first."""
    if entry.headline in entry.metrics:
        return entry.headline

    order = headline_order()

    def place(metric: str) -> tuple[int, int]:
        base, _, filter_name = metric.partition(",")
        return (
            order.index(base) if base in order else len(order),
            _FILTERS.index(filter_name) if filter_name in _FILTERS else len(_FILTERS),
        )

    return min(entry.metrics, key=place) if entry.metrics else None


def judged(entry: Entry) -> list[str]:
    """Metrics that judges gave: `overall` of each rubric and judge, or its dimensions where there is none."""
    names = [name for name, metric in entry.metrics.items() if metric.judged]
    return [name for name in names if name.startswith("overall,") or f"overall,{name.partition(',')[2]}" not in names]


def resolve(baseline: Run, candidate: Run, name: str, metric: str | None = None) -> Target:
    """The target of this name in both runs, or an error that says which of them lacks what."""
    here, there = _known(baseline, name), _known(candidate, name)
    chosen, theirs_named = _metric(baseline, candidate, name, metric)
    leaves = _leaves(baseline, name)
    if set(leaves) != set(others := _leaves(candidate, name)):
        odd = sorted(set(leaves) ^ set(others))
        raise NotComparable(f"{name} is made of other tasks in the two runs: {', '.join(odd[:5])} stand only in one")
    # A group may have a figure that some of its members have no part in: lm-eval leaves them out of it too.
    leaves = tuple(leaf for leaf in leaves if any(_has(run, leaf, chosen) for run in (baseline, candidate))) or leaves
    ours = _checked_figure(baseline, name, here, chosen, leaves)
    theirs = _checked_figure(candidate, name, there, theirs_named or chosen, leaves)
    usual = not facts(chosen).lower_is_better
    ways = [_better(figure, usual) for figure in (ours, theirs)]
    if metric is not None and None in ways:
        raise ConfigError(
            f"{name}: {chosen} can't be held to anything: as its task has it, neither more nor less of it is better"
            " (higher_is_better in the task's metric_list says which)"
        )
    better = [usual if way is None else way for way in ways]
    if better[0] != better[1]:
        raise NotComparable(f"{name}: {chosen} is better when higher in one run and when lower in the other")
    return Target(
        name=name,
        leaves=leaves,
        metric=chosen,
        higher_is_better=better[0],
        scale=_scale(ours) or _scale(theirs),
        by_size=_weighs_by_size(baseline, name, leaves, chosen),
        strata=here.strata or () if isinstance(here, GroupResult) else (),
        best_at=_best_at(name, chosen, ours, theirs),
        candidate_metric=theirs_named,
    )


def _best_at(name: str, metric: str, ours: Metric, theirs: Metric) -> float | None:
    best = {side.best_at for side in (ours, theirs)} - {None}
    if best - {0.0}:
        raise NotComparable(f"{name}: {metric} is best at {best.pop():g}, and only figures that are best at 0 compare")
    return 0.0 if best else None


def _other_count(usual: str, entry: Entry) -> str:
    """The headline of a run with another number of answers per document: the same mean, or the score of one answer.

    Empty where the run has the usual metric, or its headline is another figure.
    """
    theirs = headline(entry) or ""
    (here, _, its_filter), (there, _, their_filter) = usual.partition(","), theirs.partition(",")
    means = [answers_averaged(metric) is not None for metric in (here, there)]
    if usual in entry.metrics or its_filter != their_filter or not any(means):
        return ""
    return theirs


def _has(run: Run, leaf: str, metric: str) -> bool:
    entry = run.entry(leaf)
    return entry is None or not entry.metrics or metric in entry.metrics


def better_when_higher(figure: Metric, metric: str) -> bool | None:
    """Whether more of a metric is better: as its run says, else as usual. None: the run says that neither way is."""
    return _better(figure, not facts(metric).lower_is_better)


def _better(figure: Metric, usual: bool) -> bool | None:
    return figure.higher_is_better if figure.states("higher_is_better") else usual


def figure(run: Run, name: str, metric: str) -> float | None:
    """The value that results.json reports, where it is a finite number."""
    entry = run.entry(name)
    value = entry.metrics[metric].value if entry and metric in entry.metrics else None
    return float(value) if value is not None and math.isfinite(value) else None


def _known(run: Run, name: str) -> Entry:
    entry = run.entry(name)
    if entry is None:
        results = run.record.results
        names = [*dict.fromkeys([*run.requested, *results.groups, *results.tasks])]
        hint = nearest(name, names) or f"; it has {', '.join(run.requested[:8]) or 'no task'}"
        raise UnknownTask(f"{name} is not in run {run.run_id}{hint}")
    return entry


def _metric(baseline: Run, candidate: Run, name: str, asked: str | None) -> tuple[str, str]:
    """The metric's name in the baseline, and in the candidate where it is another there."""
    first = _known(baseline, name)
    here, there = list(first.metrics), list(_known(candidate, name).metrics)
    if not here and not there and (members := first.all_members):
        raise ConfigError(
            f"{name} is a list of tasks without a figure of its own; name its members: {_listed(members)}"
        )
    for run, metrics in ((baseline, here), (candidate, there)):
        if not metrics:
            raise RunFolderError(f"{run.path}: results.json has no figure of {name}")
    usual = headline(first) or ""
    if asked is None:
        chosen = usual
        if other := _other_count(usual, _known(candidate, name)):
            return chosen, other
    else:
        known = [*dict.fromkeys([*here, *there])]
        matches = [m for m in known if m == asked] or _of_judges(name, asked, here, there)
        matches = matches or [m for m in known if m.partition(",")[0] == asked]
        if not matches:
            raise ConfigError(f"{name} has no metric {asked}{nearest(asked, known) or f'; it has {_listed(known)}'}")
        if len(matches) > 1 and usual not in matches:
            raise ConfigError(f"{name}: {asked} could be {_listed(matches)}; write one of them")
        chosen = usual if usual in matches else matches[0]
    for run, metrics in ((baseline, here), (candidate, there)):
        if chosen not in metrics:
            raise RunFolderError(f"{run.path}: results.json has no {chosen} of {name}; it has {_listed(metrics)}")
    return chosen, ""


def _of_judges(name: str, asked: str, here: Sequence[str], there: Sequence[str]) -> list[str]:
    """The metrics that `<dimension>,<rubric>` stands for, which names no judge: that of both runs' only judge."""
    ours, theirs = ([metric for metric in metrics if metric.startswith(f"{asked}@")] for metrics in (here, there))
    both = [metric for metric in ours if metric in theirs]
    if ours and theirs and not both:
        raise NotComparable(
            f"{name}: {asked} was judged by another judge in each run ({_listed(ours)} against {_listed(theirs)});"
            " judge both alike with evalkit judge run"
        )
    return both


def _checked_figure(run: Run, name: str, entry: Entry, metric: str, leaves: tuple[str, ...]) -> Metric:
    for label in (name, *leaves):
        _refuse_nan(run, label)
    figure = entry.metrics[metric]
    if figure.value is None or not math.isfinite(figure.value):
        why = f": {figure.reason}" if figure.reason else ""
        raise RunFolderError(f"{run.path}: {metric} of {name} is {figure.value!r}, not a number{why}")
    return figure


def _refuse_nan(run: Run, name: str) -> None:
    """Refuse a run with NaN among its figures: evalkit writes an unknown figure as null, so the file is damaged."""
    entry = run.entry(name)
    for metric, figure in entry.metrics.items() if entry else ():
        for part, values in (("value", [figure.value]), ("stderr", [figure.stderr]), ("ci95", figure.ci95 or ())):
            for value in values:
                if value is not None and not math.isfinite(value):
                    what = metric if part == "value" else f"{part} of {metric}"
                    raise RunFolderError(f"{run.path}: {what} of {name} is {value}, not a number")


def _leaves(run: Run, name: str) -> tuple[str, ...]:
    if name not in run.record.results.groups:
        return (name,)
    if (task := run.record.results.groups[name].part_of) is not None:
        return (task,)
    leaves = tuple(dict.fromkeys(_walk(run, name, set())))
    if leaves:
        return leaves
    # A run that does not list its groups' members: the tasks named after the group, else lines of its own name.
    here = sorted(run.scores().column("task").unique().to_pylist())
    ordered = dict.fromkeys([*(task for task in run.record.results.tasks if task in here), *here])
    # `mmlu_pro_law` is no part of `mmlu` where `mmlu_pro` was asked for too.
    others = tuple(f"{other}_" for other in run.requested if other.startswith(f"{name}_"))
    named = tuple(task for task in ordered if task.startswith(f"{name}_") and not task.startswith(others))
    named = tuple(task for task in named if task not in run.requested) or named
    return (name,) if name in here or not named else named


def _walk(run: Run, name: str, seen: set[str]) -> Iterator[str]:
    groups = run.record.results.groups
    for member in groups[name].all_members if name in groups else ():
        if member in seen:
            continue
        seen.add(member)
        if member in groups and groups[member].members:
            yield from _walk(run, member, seen)
        else:
            yield member


def _weighs_by_size(run: Run, name: str, leaves: tuple[str, ...], metric: str) -> bool:
    """Whether the group's figure is the mean by size, lm-eval's default, and not the plain one."""
    if len(leaves) < 2:
        return True
    values = [figure(run, leaf, metric) for leaf in leaves]
    counts = [leaf.n if (leaf := run.entry(name)) else None for name in leaves]
    whole = figure(run, name, metric)
    known = [(value, n) for value, n in zip(values, counts, strict=True) if value is not None and n]
    if whole is None or len(known) < len(leaves):
        return True
    sized = sum(value * n for value, n in known) / sum(n for _, n in known)
    plain = sum(value for value, _ in known) / len(known)
    return abs(whole - sized) <= abs(whole - plain)


def _scale(figure: Metric) -> tuple[float, float] | None:
    if figure.scale is None or not all(math.isfinite(end) for end in figure.scale):
        return None
    low, high = (float(end) for end in figure.scale)
    return (low, high) if low < high else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
