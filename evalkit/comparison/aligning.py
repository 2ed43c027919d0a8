"""A log of inspect_ai beside another tool's run: read in that run's task names, documents and metric.

The two tools share no hash and no metric's name. Documents are paired by what they ask, and the main figure of the log
stands for the main figure of the other run; both are said in notes. What they answered is compared too: the same answer
is no change of the model, however two scorers judge it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.comparison.aligned_run import AlignedTask, aligned_run, aligned_task
from evalkit.comparison.questions import same_questions
from evalkit.comparison.targets import headline, requested_names
from evalkit.errors import NotComparable
from evalkit.metrics import facts
from evalkit.results import Entry, Run
from evalkit.types import JsonObject

__all__ = ["Aligned", "align"]

_TOOL = "inspect_ai"


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two runs that can be paired; where neither had to be read anew, the runs as they were."""

    baseline: Run
    candidate: Run
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """By the log's task name, what the other run calls it."""
    metrics: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By the other run's task name and the log's metric, what the other run calls that."""

    def metric(self, name: str, asked: str | None) -> str | None:
        """The metric asked for, as the other run calls it."""
        named = [ours for (task, theirs), ours in self.metrics.items() if task == name and _names(asked, theirs)]
        return named[0] if named else asked


def align(baseline: Run, candidate: Run, metrics: Mapping[str, str | None] | None = None) -> Aligned:
    """Both runs as they are, unless exactly one of them is a log of inspect_ai that has no document's hash in common.

    `metrics`: by task the metric that is asked for, as either run calls it.
    """
    logs = [run for run in (baseline, candidate) if run.imported_from == _TOOL]
    if len(logs) != 1 or _share_documents(baseline, candidate):
        return Aligned(baseline, candidate)
    log = logs[0]
    other = candidate if log is baseline else baseline
    wanted = metrics or {}
    tasks = list(_tasks(log, other, wanted))
    if not tasks:
        return Aligned(baseline, candidate)
    read_anew = aligned_run(log, tasks)
    return Aligned(
        read_anew if log is baseline else baseline,
        read_anew if log is candidate else candidate,
        tuple(note for task in tasks for note in task.notes),
        {task.theirs: task.name for task in tasks},
        {(task.name, task.log_metric): task.metric for task in tasks},
    )


def _share_documents(run: Run, other: Run) -> bool:
    if not set(run.record.results.tasks) & set(other.record.results.tasks):
        return False
    here, there = (set(side.scores().column("doc_hash").unique().to_pylist()) for side in (run, other))
    return bool(here & there)


def _names(asked: str | None, metric: str) -> bool:
    return asked is not None and asked in (metric, metric.partition(",")[0])


# ── which task is which ──────────────────────────────────────────────────────


def _tasks(log: Run, other: Run, metrics: Mapping[str, str | None]) -> Iterator[AlignedTask]:
    """For each task of the log the other run's task that asks the same questions."""
    names = list(dict.fromkeys([*(name for name in metrics if other.entry(name)), *requested_names(other)]))
    left = {name: documents for name in names if (documents := _rows(other, name))}
    for theirs in log.record.results.tasks:
        if not log.has_rows(theirs):
            continue
        samples = list({row["doc_id"]: row for row in log.rows(theirs)}.values())
        for name in sorted(left, key=lambda name: _simple(name) != _simple(theirs)):
            rows = left[name]
            pairs = same_questions([row for _, row in rows], samples)
            if pairs and 2 * len(pairs) >= min(len(rows), len(samples)):
                asked = metrics.get(name, metrics.get(theirs))
                ours, of_log = _metric(other, name, asked), _metric(log, theirs, asked)
                yield aligned_task(log, theirs, other, name, ours, of_log, rows, samples, pairs)
                del left[name]
                break
        else:
            _refuse(log, theirs, other, left, names)


def _refuse(log: Run, theirs: str, other: Run, left: JsonObject, names: Sequence[str]) -> None:
    """Raise where the two runs name the same task and nothing in them can be paired."""
    alike = [name for name in names if _simple(name) == _simple(theirs)]
    if not alike or (len(log.record.results.tasks) > 1 and len(names) > 1):
        return
    if alike[0] not in left:
        raise NotComparable(
            f"{alike[0]}: {other.run_id} has no rows (samples/), so the questions of {log.run_id} cannot be looked up"
            " in it: two tools name documents and metrics differently"
        )
    raise NotComparable(
        f"{alike[0]}: fewer than half of the questions of {log.run_id} stand in {other.run_id}: they are other"
        " documents, or the log kept other texts as its samples' input"
    )


def _simple(name: str) -> str:
    """`inspect_evals/gsm8k` and `GSM8K` are one name."""
    return name.rpartition("/")[2].lower().replace("-", "_")


def _rows(run: Run, name: str) -> list[tuple[str, JsonObject]]:
    """The documents behind a name, each once, with their task."""
    groups, leaves, waiting = run.record.results.groups, [], [name]
    while waiting:
        at = waiting.pop(0)
        members = groups[at].all_members if at in groups else ()
        waiting += [member for member in members if member != at]
        if not members:
            leaves.append(at)
    documents: list[tuple[str, JsonObject]] = []
    for leaf in dict.fromkeys(leaves):
        if run.has_rows(leaf):
            documents += [(leaf, row) for row in {row.get("doc_id"): row for row in run.rows(leaf)}.values()]
    return documents


# ── which metric is which ────────────────────────────────────────────────────


def _metric(run: Run, name: str, asked: str | None) -> str:
    """The metric that counts documents answered rightly: the one asked for, else the main one, else the only one."""
    entry = run.entry(name) or Entry()
    if asked in entry.metrics:
        return str(asked)
    shares = [metric for metric in entry.metrics if facts(metric).counts_right_answers]
    by_name = [metric for metric in shares if asked is not None and metric.partition(",")[0] == asked]
    main = headline(entry)
    for chosen in (by_name, shares):
        if main in chosen:
            return str(main)
        if len(chosen) == 1:
            return chosen[0]
    raise NotComparable(
        f"{name}: which figure of {run.run_id} counts right answers can't be told among"
        f" {', '.join(list(entry.metrics)[:6]) or 'none'}; name it as the metric"
    )
