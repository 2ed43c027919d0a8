"""Complete documents in, rows out. Code goes through the sandbox while the model still writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.registry import Document, Scorer, Task
from evalkit.runner.ledger import Pending
from evalkit.types import Answer, Program, Row, Verdict

__all__ = ["Grading", "ProgramJudge"]


class ProgramJudge(Protocol):
    """What grading needs of a sandbox."""

    def submit(self, program: Program, key: tuple[int, int]) -> None: ...

    def completed(self, wait: bool = True) -> Iterator[tuple[Any, Verdict]]: ...


@dataclass(frozen=True, slots=True)
class _Graded:
    pending: Pending
    answers: list[list[Answer | None]]
    cut_tokens: int


class Grading:
    """Holds one scorer per (variant, task) and the rows that they give."""

    def __init__(
        self,
        documents: Mapping[str, tuple[Task, Sequence[Document]]],
        variants: int,
        sandbox: ProgramJudge | None,
        scored: Callable[[Pending, Sequence[Row]], None] = lambda pending, rows: None,
    ) -> None:
        self._scorers: dict[tuple[int, str], Scorer] = {
            (variant, name): task.scorer() for variant in range(variants) for name, (task, _) in documents.items()
        }
        self._rows: dict[tuple[int, str], list[Row]] = defaultdict(list)
        self._sandbox = sandbox
        self._scored = scored
        self._judging: dict[int, tuple[_Graded, list[Verdict | None]]] = {}
        self._next = 0

    def take(self, pending: Pending) -> None:
        """Score this document, now or when its programs have been judged."""
        self.grade(pending, pending.answers(), pending.cut_tokens)

    def grade(self, pending: Pending, answers: list[list[Answer | None]], cut_tokens: int) -> None:
        graded = _Graded(pending, answers, cut_tokens)
        programs = self._programs(graded)
        if not programs:
            self._score(graded, None)
            return
        assert self._sandbox is not None
        number, self._next = self._next, self._next + 1
        self._judging[number] = (graded, [None] * len(programs))
        for place, program in enumerate(programs):
            self._sandbox.submit(program, (number, place))
        self.poll()

    def poll(self, wait: bool = False) -> None:
        """Take the verdicts that are there; or wait for all that are still out."""
        if self._sandbox is None or not self._judging:
            return
        for (number, place), verdict in self._sandbox.completed(wait=wait):
            graded, verdicts = self._judging[number]
            verdicts[place] = verdict
            if None not in verdicts:
                del self._judging[number]
                self._score(graded, [v for v in verdicts if v is not None])

    def give_up(self, pending: Pending) -> None:
        """Score what never got all of its answers: its rows say what is missing."""
        self._score(_Graded(pending, pending.answers(), pending.cut_tokens), None)

    def rows(self, variant: int) -> dict[str, list[Row]]:
        """By task, in document order, filters as the task has them."""
        found: dict[str, list[Row]] = {}
        for (number, task), scorer in self._scorers.items():
            if number == variant:
                rows = self._rows[number, task] + list(scorer.finish())
                found[task] = sorted(rows, key=_document_order(rows))
        return found

    def _programs(self, graded: _Graded) -> list[Program]:
        task, document = graded.pending.task, graded.pending.document
        if self._sandbox is None or not task.is_code or document.error is not None:
            return []
        return task.programs(document, graded.answers) or []

    def _score(self, graded: _Graded, verdicts: Sequence[Verdict] | None) -> None:
        pending = graded.pending
        key = pending.variant, pending.task.name
        rows = self._scorers[key].add(pending.document, graded.answers, verdicts, graded.cut_tokens)
        self._rows[key] += rows
        self._scored(pending, rows)


def _document_order(rows: Sequence[Row]) -> Callable[[Row], tuple[int, int]]:
    order = {name: place for place, name in enumerate(dict.fromkeys(row.filter for row in rows))}
    return lambda row: (row.doc_id, order[row.filter])
