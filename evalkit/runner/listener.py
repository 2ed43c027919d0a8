"""The events of a run, for the code that shows its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Listener"]


class Listener(Protocol):
    """Receives a run's events. All methods are called from the thread of the run, but for `stopping`; `note` also from
    the engine's own."""

    def stage(self, what: str) -> None:
        """A step that may take long has begun."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know."""
        ...

    def start(self, totals: Mapping[str, int]) -> None:
        """The number of documents for each name in --tasks."""
        ...

    def known(self) -> None:
        """All answers from the journal have been counted; from now on the engine answers."""
        ...

    def advance(self, task: str, documents: int = 1) -> None:
        """This many more documents are graded."""
        ...

    def tokens(self, count: int) -> None:
        """Tokens that the engine has read and written so far."""
        ...

    def replicas(self, working: int, wanted: int) -> None:
        """The number of copies of the model that are at work, of those that are wanted."""
        ...

    def stopping(self, in_flight: int) -> None:
        """The user asked to stop; `in_flight` answers are awaited. Called from another thread, within a second."""
        ...

    def finish(self) -> None:
        """The run is over; no more documents will be graded."""
        ...
