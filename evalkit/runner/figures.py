"""Turns rows and figures into the entries of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalkit.metrics import answers_averaged
from evalkit.registry import Suite, SuiteFigures, Task
from evalkit.results import Count, GroupResult, TaskResult, Tokens, figure
from evalkit.runner.running_code import verdicts_entry
from evalkit.runner.thoughts import thinking_entry
from evalkit.types import Figure, Row, Usage

__all__ = ["group_entries", "task_entry", "token_entry"]


def task_entry(task: Task, rows: Sequence[Row], metrics: Mapping[str, Figure]) -> TaskResult:
    """The entry of a task: its metrics, and how many documents were scored, cut, unfinished or failed."""
    headline_filter = (task.headline or "").partition(",")[2]
    documents = {row.doc_id for row in rows}
    unscored = _flagged(rows, "missing") | _flagged(rows, "error") | _thoughts_alone(rows)
    unread = _flagged([row for row in rows if not headline_filter or row.filter == headline_filter], "unparsed")
    entry = TaskResult(
        version=task.version,
        num_fewshot=task.num_fewshot,
        n=len(documents - unscored),
        missing=Count(value=len(_flagged(rows, "missing") | _flagged(rows, "unanswered"))),
        metrics={name: figure(value) for name, value in metrics.items()},
        truncated_prompts=_counted(rows, "cut", "cut_tokens", "whether their prompt was cut"),
        unfinished=_counted(rows, "unfinished", "finish", "how they ended"),
        unparsed=Count(value=len(unread)),
        errors=Count(value=len(_flagged(rows, "error"))),
        headline=_headline(task.headline, metrics),
        chance=task.chance,
    )
    broken = {"broken_rows": Count(value=len(task.broken_rows))} if task.broken_rows else {}
    thinking = {"thinking": thoughts} if (thoughts := thinking_entry(rows, task.filters)) else {}
    verdicts = {"verdicts": ended} if (ended := verdicts_entry(task, rows)) else {}
    more = {**broken, **thinking, **verdicts}
    return entry.model_copy(update=more) if more else entry


def _headline(usual: str | None, metrics: Mapping[str, Figure]) -> str | None:
    """The usual headline; with several answers per document its mean over them, which pass@1 of a code task is."""
    name, _, filter_name = (usual or "").partition(",")
    means = [key for key in metrics if (answers_averaged(key) or 1) > 1 and key.partition(",")[2] == filter_name]
    return means[0] if means and not name.startswith("pass@") else usual


def group_entries(suite: Suite, tasks: Mapping[str, TaskResult], figures: SuiteFigures) -> dict[str, GroupResult]:
    """The entries of all groups, and of the groups that a task's documents fall into."""
    entries = {}
    for name, group in suite.groups.items():
        leaves = [tasks[leaf] for leaf in group.tasks if leaf in tasks]
        shots = {leaf.num_fewshot for leaf in leaves}
        entries[name] = GroupResult(
            version=group.version,
            num_fewshot=shots.pop() if len(shots) == 1 else None,
            n=sum(leaf.n or 0 for leaf in leaves),
            missing=Count(value=sum(leaf.missing.value or 0 for leaf in leaves)),
            metrics={metric: figure(value) for metric, value in figures.groups.get(name, {}).items()},
            members=tuple(group.members),
            headline=_headline(group.headline, figures.groups.get(name, {})),
            chance=group.chance,
        )
    for name, parts in figures.parts.items():
        task = suite.tasks[name]
        for part_name, part in parts.items():
            entries[part_name] = GroupResult(
                version=task.version,
                num_fewshot=task.num_fewshot,
                n=part.n,
                missing=Count(value=part.missing),
                metrics={metric: figure(value) for metric, value in part.figures.items()},
                members=(),
                part_of=name,
                strata=tuple(part.strata),
                headline=task.headline,
                chance=task.chance,
            )
    return entries


def token_entry(usage: Usage | None, *, unique: int, generated: int, alone: bool) -> Tokens:
    """The tokens of one run. If several runs shared a pass, the tokens computed and cached for each are unknown."""
    if usage is None:
        unique, generated = 0, 0
        counts = [Count(value=0)] * 3
    elif usage.unknown is not None:
        counts = [Count.unknown(usage.unknown)] * 3
    elif alone:
        counts = [Count(value=count) for count in (usage.prompt, usage.computed, usage.cached)]
    else:
        shared = f"shared one pass with other adapters: {usage.computed} computed, {usage.cached} cached in all"
        counts = [Count.unknown(shared)] * 3
    prompt, computed, cached = counts
    return Tokens(
        prompt=prompt,
        computed=computed,
        cached=cached,
        unique=Count(value=unique),
        generated=Count(value=generated),
    )


def _counted(rows: Sequence[Row], flag: str, entry: str, what: str) -> Count:
    """How many documents have the flag; unknown if recorded answers lack the entry that the flag is read from."""
    without = {row.doc_id for row in rows if row.sample.get(entry, 0) is None}
    if not without:
        return Count(value=len(_flagged(rows, flag)))
    return Count.unknown(f"{len(without)} recorded answers do not say {what}")


def _thoughts_alone(rows: Sequence[Row]) -> set[int]:
    """Documents none of whose answers is finished: they have no value."""
    return {
        row.doc_id
        for row in rows
        if "unfinished" in row.flags and row.metrics and all(value is None for value in row.metrics.values())
    }


def _flagged(rows: Sequence[Row], flag: str) -> set[int]:
    return {row.doc_id for row in rows if flag in row.flags}
