"""Tracks which answers each document still waits for; with the last one, the document is complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from evalkit.registry import Document, Task
from evalkit.tokens import Encoded
from evalkit.types import Answer, Failed, Generated, Request, TokenRequest

__all__ = ["Ledger", "Pending"]


@dataclass(slots=True, eq=False)
class Pending:
    """One document of one variant (the base or an adapter)."""

    variant: int
    task: Task
    document: Document
    encoded: list[Encoded]
    received: list[list[Answer | None]] = field(default_factory=list)
    waiting: int = 0

    def answers(self) -> list[list[Answer | None]]:
        """The answers for each request of the task: rolling windows are summed, a repeated score is repeated."""
        return [encoded.fold(answers) for encoded, answers in zip(self.encoded, self.received, strict=True)]

    def next_request(self) -> Request:
        """The first turn that has not been asked yet."""
        return self.document.requests[len(self.encoded)]

    def requests(self) -> Iterator[TokenRequest]:
        for encoded in self.encoded:
            yield from encoded.requests

    @property
    def goes_on(self) -> bool:
        """Whether the document has a further turn that can be asked with the answers received."""
        if len(self.encoded) == len(self.document.requests):
            return False
        return not any(encoded.error for encoded in self.encoded) and all(
            isinstance(answer, Generated) for answers in self.received for answer in answers
        )

    @property
    def converses(self) -> bool:
        """Whether it has further turns that follow from answers it waits for."""
        return bool(self.waiting) and len(self.encoded) < len(self.document.requests)

    @property
    def cut_tokens(self) -> int:
        return max((encoded.cut_tokens for encoded in self.encoded), default=0)

    @property
    def generated_tokens(self) -> int:
        return sum(a.tokens for answers in self.received for a in answers if isinstance(a, Generated))


class Ledger:
    """Maps each request id to its document and to the place of its answer in that document."""

    def __init__(self) -> None:
        self._places: list[tuple[Pending, int, int]] = []
        self._open: dict[int, Pending] = {}
        self.failed = 0
        self.first_failure: str | None = None

    @property
    def conversing(self) -> bool:
        """Whether an open document has further turns that follow from answers it waits for."""
        return any(pending.converses for pending in self._open.values())

    @property
    def open(self) -> list[Pending]:
        """Documents that are not complete, in the order they were added."""
        return list(self._open.values())

    @property
    def next_id(self) -> int:
        return len(self._places)

    def add(self, pending: Pending) -> None:
        """Add a document. The ids of its requests must continue from `next_id`."""
        for i, encoded in enumerate(pending.encoded):
            self._enter(pending, i, encoded)
        self._open[id(pending)] = pending

    def extend(self, pending: Pending, request: Request, encoded: Encoded) -> None:
        """Add a further turn to an open document, with the prompt made from its answers."""
        place = len(pending.encoded)
        requests = pending.document.requests
        requests = (*requests[:place], request, *requests[place + 1 :])
        pending.document = replace(pending.document, requests=requests)
        pending.encoded.append(encoded)
        self._enter(pending, place, encoded)

    def _enter(self, pending: Pending, place: int, encoded: Encoded) -> None:
        pending.received.append([None] * len(encoded.requests))
        for j, request in enumerate(encoded.requests):
            if request.id != self.next_id:
                raise ValueError(f"request {request.id} of {pending.task.name} is out of order")
            self._places.append((pending, place, j))
            pending.waiting += 1

    def place(self, id_: int) -> tuple[Pending, int, int]:
        """The document that a request belongs to, the number of its request there and of the answer to that."""
        return self._places[id_]

    def add_rest(self, id_: int) -> int:
        """The id of a request whose answer takes the place of another's, which is still awaited."""
        self._places.append(self._places[id_])
        return self.next_id - 1

    def accept(self, id_: int, answer: Answer) -> Pending | None:
        """Store an answer. Returns its document if no answer is outstanding: complete, or ready for its next turn."""
        pending, i, j = self._places[id_]
        if pending.received[i][j] is not None:
            return None
        if isinstance(answer, Failed):
            self.failed += 1
            self.first_failure = self.first_failure or answer.reason
        pending.received[i][j] = answer
        pending.waiting -= 1
        if pending.waiting:
            return None
        return pending if pending.goes_on else self.close(pending)

    def unfinished(self) -> Iterator[Pending]:
        """Close and yield the documents that are still open when a run ends early."""
        for pending in self.open:
            yield self.close(pending)

    def requests(self) -> Iterator[TokenRequest]:
        for pending, i, j in self._places:
            yield pending.encoded[i].requests[j]

    def close(self, pending: Pending) -> Pending:
        return self._open.pop(id(pending))
