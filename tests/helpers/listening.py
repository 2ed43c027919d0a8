"""A listener that keeps what a run says."""

from __future__ import annotations

from evalkit.reporting.progress import Progress


class Heard(Progress):
    """Keeps what the runner said."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stopping(self, in_flight: int) -> None:
        self.notes.append(f"stopping with {in_flight} in flight")
