"""What the models of a sweep share: tasks, documents with prompts, and token ids, each made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from evalkit.engines.base import EngineTokenizer
from evalkit.registry import Document, Suite, Task
from evalkit.tokens import ChatTemplate, Encoded, Tokenizer
from evalkit.types import Request

__all__ = ["Documents", "Materials", "asked_first"]

Documents: TypeAlias = Mapping[str, tuple[Task, Sequence[Document]]]


class Materials:
    """Keeps what was made for one model, for the next that needs the same."""

    def __init__(self) -> None:
        self.built = 0
        """How often prompts were built."""
        self.tokenised = 0
        """How often they were tokenised."""
        self._suite: Suite | None = None
        self._documents: dict[str | None, tuple[Suite, Documents]] = {}
        self._encoded: dict[object, tuple[list[Encoded], list[str]]] = {}

    def suite(self, load: Callable[[], Suite]) -> Suite:
        """The tasks, which do not depend on the model."""
        self._suite = self._suite or load()
        return self._suite

    def documents(
        self, chat: ChatTemplate | None, load: Callable[[], Suite], build: Callable[[Suite], Documents]
    ) -> tuple[Suite, Documents]:
        """The tasks and all documents with their prompts, which depend on the chat template alone.

        Building draws the examples, and tasks go on drawing where they stopped: each template gets tasks of its own.
        """
        key = None if chat is None else getattr(chat, "identity", repr(chat))
        if key not in self._documents:
            suite = load() if self.built else self.suite(load)
            self._documents[key] = suite, build(suite)
            self.built += 1
        return self._documents[key]

    def encoded(self, tokenizer: EngineTokenizer, documents: Documents, limit: int) -> list[Encoded]:
        """The token requests of all prompts that are known from the start, in order."""
        identity = tokenizer.identity if isinstance(tokenizer, Tokenizer) else None
        key = (identity, limit, id(documents))
        if identity is None or key not in self._encoded:
            texts = [
                request
                for _, of_task in documents.values()
                for document in of_task
                for request in asked_first(document)
            ]
            made = tokenizer.encode(texts, score_limit=limit), list(tokenizer.notes)
            self.tokenised += 1
            if identity is None:
                return made[0]
            self._encoded[key] = made
        encoded, notes = self._encoded[key]
        tokenizer.notes[:] = notes
        return encoded


def asked_first(document: Document) -> list[Request]:
    """Requests that do not wait for an answer of the same document."""
    return [request for request in document.requests if request.follows is None]
