"""Recorded answers, read and checked: evalkit's own format, lm-eval's samples_*.jsonl, and a run's samples folder.

No model and no tokenizer: rows are matched to documents and scored as they are. Nothing is filled in: a document
without a row has no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, get_args

from evalkit.errors import ConfigError
from evalkit.results.recorded_rows import RecordedRow, find_files, read_rows, task_of
from evalkit.results.recorded_spans import RecordedSpan
from evalkit.types import Answer, Finish, Generated, Request, Scored

__all__ = ["Answered", "AskedDocument", "Recording"]

_FINISHES = get_args(Finish)


class AskedDocument(Protocol):
    """What is needed of a document of a task."""

    @property
    def doc_id(self) -> int: ...
    @property
    def doc_hash(self) -> str: ...
    @property
    def requests(self) -> tuple[Request, ...]: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What was recorded for one document."""

    answers: list[list[Answer]]
    """For each request of the document its answers, one or several samples."""
    prompt_hash: str | None
    cut_tokens: int | None = None
    """None: not recorded."""
    place: str = ""
    """file:line"""
    arguments: list[Any] | None = None
    """What was asked, where the row says it."""
    finish_known: bool = True
    """Whether the row says of every generated answer how it ended."""
    span: RecordedSpan | None = None
    """Where the answer stands in its context, as the row has it: nothing of it was checked against the context."""
    listed: bool = False
    """The row has a list of sampled answers, which may hold a single one."""


@dataclass(frozen=True)
class Recording:
    label: str
    """The model's name where none is given: the file's or the folder's."""
    _rows: Mapping[str, Sequence[RecordedRow]]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path | str, names: Mapping[str, str] | None = None) -> Recording:
        """Read a JSONL file, or a folder of them.

        `names` says which task a file's stem stands for, where a run's folder had to change the name.
        """
        where = Path(path)
        files, notes = find_files(where)
        rows: dict[str, dict[int | str, dict[str | None, RecordedRow]]] = {}
        for file in files:
            for row in read_rows(file, (names or {}).get(file.stem) or task_of(file)):
                _add(rows.setdefault(row.task, {}), row)
        if not rows:
            raise ConfigError(f"{where} holds no recorded answer")
        kept = {
            task: [next(iter(filters.values())) for filters in by_document.values()]
            for task, by_document in rows.items()
        }
        return cls(where.stem if where.is_file() else where.resolve().name, kept, notes)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def with_names(self, plain: Callable[[str], str]) -> Recording:
        """The same answers, under other names of their tasks."""
        return replace(self, _rows={plain(task): rows for task, rows in self._rows.items()})

    def of(
        self, task: str, documents: Sequence[AskedDocument], *, size: int | None = None, needs_greedy: bool = False
    ) -> dict[int, Answered]:
        """The recorded answers of a task's documents, by doc_id. A document that is not in it has none.

        `size` is how many documents the task has when not all are asked for. `needs_greedy`: a metric of this task
        looks at whether the continuation was the greedy one.
        """
        by_id = {document.doc_id: document for document in documents}
        by_hash: dict[str, list[AskedDocument]] = {}
        for document in documents:
            by_hash.setdefault(document.doc_hash, []).append(document)
        out: dict[int, Answered] = {}
        moved = 0
        for row in self._rows.get(task, ()):
            asked = _match(row, by_id, by_hash, size or len(documents), out)
            if asked is None:
                continue
            if asked.doc_id in out:
                raise ConfigError(f"{row.place}: document {asked.doc_id} stands in {out[asked.doc_id].place} as well")
            moved += asked.doc_id != row.doc_id
            answers = _answers(row, asked, needs_greedy)
            if answers is not None:
                known = _finish_known(row, answers)
                out[asked.doc_id] = Answered(
                    answers,
                    row.prompt_hash,
                    row.cut_tokens,
                    row.place,
                    row.arguments,
                    known,
                    row.span,
                    row.kind == "outputs",
                )
        if moved:
            self.notes.append(f"{task}: {moved} rows were matched by doc_hash, not by their doc_id, which is another's")
        return out


def _add(rows: dict[int | str, dict[str | None, RecordedRow]], row: RecordedRow) -> None:
    """lm-eval writes a document once per filter, with the same answers each time. Anything else is twice too many."""
    same = rows.setdefault(f"{row.doc_id} {row.doc_hash}" if row.doc_hash else row.doc_id, {})
    if row.filter in same:
        raise ConfigError(
            f"{row.place}: document {row.doc_id} of {row.task} stands in {same[row.filter].place} already"
        )
    if same and (other := next(iter(same.values()))).content != row.content:
        raise ConfigError(f"{row.place}: document {row.doc_id} of {row.task} has other answers in {other.place}")
    same[row.filter] = row


# ── rows and documents ───────────────────────────────────────────────────────


def _match(
    row: RecordedRow,
    by_id: Mapping[int, AskedDocument],
    by_hash: Mapping[str, Sequence[AskedDocument]],
    size: int,
    taken: Iterable[int],
) -> AskedDocument | None:
    """The document that a row is about; None where it is not among those asked for."""
    if row.doc_id >= size:
        raise ConfigError(f"{row.place}: doc_id {row.doc_id}, but {row.task} has {size} documents, numbered from 0")
    document = by_id.get(row.doc_id)
    if row.doc_hash is None or (document is not None and document.doc_hash == row.doc_hash):
        return document
    same = by_hash.get(row.doc_hash)
    if same:
        # The hash says what was asked, the number only where it stood.
        return next((other for other in same if other.doc_id not in taken), same[0])
    if document is None:
        return None
    raise ConfigError(
        f"{row.place}: doc_hash {row.doc_hash[:12]}… is not that of document {row.doc_id} of {row.task}, nor of any"
        " other one: it was recorded on other data"
    )


def _answers(row: RecordedRow, document: AskedDocument, needs_greedy: bool) -> list[list[Answer]] | None:
    requests = document.requests
    if row.content is None or (row.kind == "resps" and not row.content):
        return None
    if not requests:
        return None
    scored = requests[0].kind != "generate"
    if scored != (row.kind == "choice_logprobs") and row.kind != "resps":
        wanted = "choice_logprobs, for its choices are scored" if scored else "output or outputs, for it generates"
        raise ConfigError(f"{row.place}: {row.task} takes {wanted}; found {row.kind}")
    groups: list[list[Any]]
    if row.kind == "choice_logprobs":
        greedy = _greedy(row, needs_greedy)
        groups = [[pair] for pair in zip(row.content, greedy, strict=True)]
    elif row.kind == "resps":
        groups = row.content
    else:
        groups = [[row.content] if row.kind == "output" else row.content]
    if len(groups) != len(requests):
        has = f"{len(requests)} {'choices' if scored else 'requests'}"
        if any(request.follows is not None for request in requests):
            has += ', one for each turn that the model answers: give "resps": [["first answer"], …, ["last answer"]]'
        raise ConfigError(f"{row.place}: {len(groups)} answers, but document {document.doc_id} of {row.task} has {has}")
    finish = iter(row.finish)
    return [
        [_answer(request, item, next(finish, "stop"), row.place) for item in group]
        for request, group in zip(requests, groups, strict=True)
    ]


def _finish_known(row: RecordedRow, answers: Sequence[Sequence[Answer]]) -> bool:
    generated = sum(isinstance(answer, Generated) for group in answers for answer in group)
    return sum(finish in _FINISHES for finish in row.finish[:generated]) == generated


def _greedy(row: RecordedRow, needed: bool) -> list[bool]:
    if row.greedy is None:
        if needed:
            raise ConfigError(
                f"{row.place}: a metric of {row.task} asks whether a choice was what the model would have said;"
                ' choice_logprobs alone doesn\'t tell: add "choice_greedy": [true, false, …]'
            )
        return [False] * len(row.content)
    if not (
        isinstance(row.greedy, list) and len(row.greedy) == len(row.content) and set(map(type, row.greedy)) == {bool}
    ):
        raise ConfigError(f"{row.place}: choice_greedy is not one true or false for each of {len(row.content)} choices")
    return row.greedy


def _answer(request: Request, item: Any, finish: str, place: str) -> Answer:
    """One answer in our types. lm-eval writes numbers and truths as text; so may a row of any kind."""
    if request.kind == "generate":
        if not isinstance(item, str):
            raise ConfigError(f"{place}: an answer is {item!r}, not text")
        return Generated(0, item, finish if finish in _FINISHES else "stop", 0)  # type: ignore[arg-type]
    try:
        if request.kind == "rolling":
            item = item[0] if isinstance(item, list | tuple) else item
            return Scored(0, _finite(float(item)), False)
        logprob, greedy = item
        return Scored(0, _finite(float(logprob)), {"true": True, "false": False}[str(greedy).lower()])
    except (TypeError, ValueError, KeyError, OverflowError, IndexError):
        raise ConfigError(f"{place}: an answer is {item!r}, not a log-probability and whether it was greedy") from None


def _finite(number: float) -> float:
    if math.isnan(number):
        raise ValueError(number)
    return number
