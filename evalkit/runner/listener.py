"""What the runner tells whoever shows progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Listener"]


class Listener(Protocol):
    def stage(self, what: str) -> None: ...

    def note(self, text: str) -> None: ...

    def start(self, totals: Mapping[str, int]) -> None: ...

    def known(self) -> None: ...

    def advance(self, task: str, documents: int = 1) -> None: ...

    def tokens(self, count: int) -> None: ...

    def finish(self) -> None: ...
