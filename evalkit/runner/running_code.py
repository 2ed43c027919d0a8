"""Starts the sandbox of a run, and times the tasks' own right answers in it before any of the model's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from evalkit.config import RunConfig
from evalkit.registry import Document, Task
from evalkit.results import Verdicts
from evalkit.runner.listener import Listener
from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Row, Verdict

__all__ = ["start_sandbox", "verdicts_entry"]

_MOST = 60
"""Right answers timed for each task: enough to see a machine that is too slow."""
_NARROW = 0.5
"""A right answer that takes this share of its time leaves too little for one that is written less well."""


def start_sandbox(
    stack: ExitStack,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    config: RunConfig,
    listener: Listener,
) -> Sandbox | None:
    """Start a sandbox if any task runs code, and say whether this machine is fast enough for it; else return None."""
    coding = {name: pair for name, pair in documents.items() if pair[0].is_code}
    if not coding:
        return None
    listener.stage("starting the sandbox")
    limits = Limits() if config.sandbox_seconds is None else Limits(seconds=config.sandbox_seconds)
    needed = [name for task, _ in coding.values() if task.code is not None for name in task.code.packages]
    packages = tuple(dict.fromkeys((*config.sandbox_packages, *needed)))
    sandbox = stack.enter_context(Sandbox.start(tier=config.sandbox, limits=limits, packages=packages))
    for name, (task, asked) in coding.items():
        _check_right_answers(name, task, asked, sandbox, limits, listener)
    return sandbox


def _check_right_answers(
    name: str, task: Task, documents: Sequence[Document], sandbox: Sandbox, limits: Limits, listener: Listener
) -> None:
    """Note if the task's own right answers run out of time, come near to it, or do not pass here."""
    sound = [document for document in documents if document.error is None]
    try:
        programs = task.canonical_programs(sound[:: max(1, len(sound) // _MOST)][:_MOST])
    except Exception as error:
        listener.note(f"{name}: its right answers could not be tried: {type(error).__name__}: {error}")
        return
    if not programs:
        return
    listener.stage(f"timing right answers of {name}")
    verdicts = sandbox.judge(programs)
    limit = max(limits.seconds, programs[0].seconds or 0.0)
    late = [verdict for verdict in verdicts if verdict.verdict == "timed_out"]
    wrong = [verdict for verdict in verdicts if verdict.verdict not in ("passed", "timed_out")]
    slowest = max(verdict.seconds for verdict in verdicts)
    if late:
        listener.note(
            f"{name}: {len(late)} of {len(verdicts)} right answers ran out of their {limit:g} s: this CPU is too slow"
            " or too busy, and right answers will count as wrong; --sandbox-seconds N gives them more"
        )
    elif slowest > _NARROW * limit:
        listener.note(
            f"{name}: the slowest of {len(verdicts)} right answers took {slowest:.1f} of its {limit:g} s on this CPU:"
            " slower ones will count as wrong; --sandbox-seconds N gives them more"
        )
    if wrong:
        listener.note(
            f"{name}: {len(wrong)} of {len(verdicts)} right answers do not pass here, and figures are too low"
            f" ({_told(wrong[0])})"
        )


def _told(verdict: Verdict) -> str:
    return f"{verdict.verdict}: {verdict.reason}".rstrip(": ")[:200]


def verdicts_entry(task: Task, rows: Sequence[Row]) -> Verdicts | None:
    """How the programs of a code task ended; None for any other task."""
    if task.code is None:
        return None
    ended: Counter[str] = Counter()
    for row in rows:
        verdict = row.sample.get("verdict")
        ended.update(verdict if isinstance(verdict, list) else [] if verdict is None else [verdict])
    total = ended.total()
    if not total:
        return None
    return Verdicts(
        programs=total,
        timed_out=ended["timed_out"] / total,
        memory=ended["memory"] / total,
        sandbox_error=ended["sandbox_error"] / total,
    )
