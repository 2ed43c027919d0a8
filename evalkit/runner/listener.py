"""What a run tells whoever shows its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Listener"]


class Listener(Protocol):
    """All methods are called from the thread that runs, but for `stopping`."""

    def stage(self, what: str) -> None:
        """A step that takes a while has begun."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know."""
        ...

    def start(self, totals: Mapping[str, int]) -> None:
        """Documents to come, for each name that was asked for."""
        ...

    def known(self) -> None:
        """All answers that were kept from before have been counted; from now on the engine answers."""
        ...

    def advance(self, task: str, documents: int = 1) -> None:
        """So many documents more are graded."""
        ...

    def tokens(self, count: int) -> None:
        """Tokens that the engine has read and written so far."""
        ...

    def stopping(self, in_flight: int) -> None:
        """The user asked to stop, and so many answers are waited for. Called from another thread, within a second."""
        ...

    def finish(self) -> None:
        """No more documents will come."""
        ...
