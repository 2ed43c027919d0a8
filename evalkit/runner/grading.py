"""Stage 4, grade: turn complete documents into rows. Programs run in the sandbox while the model still generates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.registry import Document, Scorer, Task
from evalkit.runner.ledger import Pending
from evalkit.scoring.samples import level
from evalkit.types import Answer, Program, Row, Verdict

__all__ = ["Grading", "ProgramJudge"]


class ProgramJudge(Protocol):
    """The part of a sandbox that grading uses."""

    def submit(self, program: Program, key: tuple[int, int]) -> None: ...

    def completed(self, wait: bool = True) -> Iterator[tuple[Any, Verdict]]: ...


@dataclass(frozen=True, slots=True)
class _Complete:
    """A document with all its answers, in the form that its task scores."""

    pending: Pending
    answers: list[list[Answer | None]]
    cut_tokens: int


class Grading:
    """Grades each document once it is complete, and holds the rows."""

    def __init__(
        self,
        documents: Mapping[str, tuple[Task, Sequence[Document]]],
        variants: int,
        sandbox: ProgramJudge | None,
        scored: Callable[[Pending, Sequence[Row]], None] = lambda pending, rows: None,
    ) -> None:
        """`scored` is called with each document that is graded and its rows."""
        self.variants = range(variants)
        self.graded = 0
        """The number of documents graded with all their answers."""
        self._scorers: dict[tuple[int, str], Scorer] = {
            (variant, name): task.scorer() for variant in range(variants) for name, (task, _) in documents.items()
        }
        self._rows: dict[tuple[int, str], list[Row]] = defaultdict(list)
        self._sandbox = sandbox
        self._scored = scored
        self._judging: dict[int, tuple[_Complete, list[Verdict | None]]] = {}
        """Documents whose programs are in the sandbox, and the verdicts received so far."""
        self._next = 0

    def take(self, pending: Pending) -> None:
        """Grade a document that has all its answers: at once, or after the sandbox has run its programs."""
        self.grade(pending, pending.answers(), pending.cut_tokens)

    def grade(self, pending: Pending, answers: list[list[Answer | None]], cut_tokens: int) -> None:
        """Grade a document with these answers instead of the ones it received."""
        complete = _Complete(pending, answers, cut_tokens)
        programs = self._programs(complete)
        if not programs:
            self._score(complete, None)
            return
        assert self._sandbox is not None
        number, self._next = self._next, self._next + 1
        self._judging[number] = (complete, [None] * len(programs))
        for place, program in enumerate(programs):
            self._sandbox.submit(program, (number, place))
        self.poll()

    def poll(self, wait: bool = False) -> None:
        """Take the sandbox's verdicts. With `wait`, block until all are there."""
        if self._sandbox is None or not self._judging:
            return
        for (number, place), verdict in self._sandbox.completed(wait=wait):
            complete, verdicts = self._judging[number]
            verdicts[place] = verdict
            if None not in verdicts:
                del self._judging[number]
                self._score(complete, [v for v in verdicts if v is not None])

    def give_up(self, pending: Pending) -> None:
        """Make rows for a document that lacks answers; they are flagged as missing."""
        self._make_rows(_Complete(pending, pending.answers(), pending.cut_tokens), None)

    def rows(self, variant: int) -> dict[str, list[Row]]:
        """The rows of a variant by task, in document order; filters in the order of the task."""
        by_task: dict[str, list[Row]] = {}
        for (number, task), scorer in self._scorers.items():
            if number == variant:
                rows = self._rows[number, task] + list(scorer.finish())
                by_task[task] = level(sorted(rows, key=_document_order(rows)))
        return by_task

    def _programs(self, complete: _Complete) -> list[Program]:
        task, document = complete.pending.task, complete.pending.document
        if self._sandbox is None or not task.is_code or document.error is not None:
            return []
        return task.programs(document, complete.answers) or []

    def _score(self, complete: _Complete, verdicts: Sequence[Verdict] | None) -> None:
        rows = self._make_rows(complete, verdicts)
        self.graded += 1
        self._scored(complete.pending, rows)

    def _make_rows(self, complete: _Complete, verdicts: Sequence[Verdict] | None) -> Sequence[Row]:
        pending = complete.pending
        key = pending.variant, pending.task.name
        rows = level(self._scorers[key].add(pending.document, complete.answers, verdicts, complete.cut_tokens))
        self._rows[key] += rows
        return rows


def _document_order(rows: Sequence[Row]) -> Callable[[Row], tuple[int, int]]:
    order = {name: place for place, name in enumerate(dict.fromkeys(row.filter for row in rows))}
    return lambda row: (row.doc_id, order[row.filter])
