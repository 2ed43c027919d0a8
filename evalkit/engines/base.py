"""What every engine is: one stream in, one stream out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from evalkit.types import Answer, Usage, Work

__all__ = ["Engine"]


@runtime_checkable
class Engine(Protocol):
    name: str
    usage: Usage

    @property
    def description(self) -> Mapping[str, Any]:
        """For the manifest: versions, dtype, scoring path, settings. JSON values only, never a key."""
        ...

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        """Pull work while there is room, yield answers as they finish, in any order.

        `None` means that there is nothing yet and more may come: go on with what is in flight and ask again.
        The end of `work` means that no more will come: finish what is in flight, then stop.
        Every id of every item handed in gets exactly one answer: Scored, Generated or Failed.
        A request that cannot be served is Failed, and the others go on. An engine that cannot go on raises
        EngineError, after it has yielded all that had finished.
        """
        ...

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        ...
