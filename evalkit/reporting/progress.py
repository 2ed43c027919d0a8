"""What is shown while a run goes on: live bars on a terminal, plain lines elsewhere, nothing with --quiet.

All of it goes to stderr, so that stdout holds results only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from evalkit import safe

__all__ = ["Bars", "Lines", "Progress"]


class Progress:
    """The quiet one; its children speak."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.began = time.monotonic()

    @staticmethod
    def open(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
        stream = stream or sys.stderr
        if quiet:
            return Progress()
        return Bars(stream) if stream.isatty() else Lines(stream)

    def stage(self, what: str) -> None:
        """A step that takes a while: loading, building, encoding."""

    def note(self, text: str) -> None:
        """Something the user should know and that stays on screen."""

    def start(self, totals: Mapping[str, int]) -> None:
        """Documents per requested task."""
        self.totals, self.done = dict(totals), {}
        self.began = time.monotonic()

    def known(self) -> None:
        """All that the journal knew has been counted: time is told from here."""
        self.began = time.monotonic()

    def advance(self, task: str, documents: int = 1) -> None:
        self.done[task] = self.done.get(task, 0) + documents

    def tokens(self, count: int) -> None:
        """Tokens worked on so far, prompt and generated."""

    def finish(self) -> None:
        """No more documents will come."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


class Lines(Progress):
    """For logs: a line per stage, then one every ten seconds."""

    EVERY = 10.0

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.said = time.monotonic()
        self.rate = 0.0
        self.at_start = 0

    def _say(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {safe.line(text)}", file=self.stream, flush=True)

    def stage(self, what: str) -> None:
        self._say(what)

    def note(self, text: str) -> None:
        self._say(f"note: {text}")

    def start(self, totals: Mapping[str, int]) -> None:
        super().start(totals)
        self._say(f"{sum(totals.values())} documents in {', '.join(totals)}")

    def known(self) -> None:
        super().known()
        self.at_start = sum(self.done.values())
        if self.at_start:
            self._say(f"{self.at_start} of them are answered already")

    def advance(self, task: str, documents: int = 1) -> None:
        super().advance(task, documents)
        now = time.monotonic()
        if now - self.said >= self.EVERY:
            self.said = now
            self._say(self._summary(now))

    def tokens(self, count: int) -> None:
        self.rate = count / max(time.monotonic() - self.began, 1e-9)

    def _summary(self, now: float) -> str:
        done, total = sum(self.done.values()), sum(self.totals.values())
        fresh = done - self.at_start
        left = (now - self.began) * (total - done) / fresh if fresh else 0.0
        open_tasks = [f"{t} {self.done.get(t, 0)}/{n}" for t, n in self.totals.items() if self.done.get(t, 0) < n]
        where = f": {', '.join(open_tasks)}" if open_tasks else ""
        return f"{done}/{total} documents, {self.rate:,.0f} tokens/s, {_clock(left)} left{where}"


class Bars(Progress):
    """For a terminal: a bar per requested task."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self._status: Any = None
        self._bars: Any = None
        self._ids: dict[str, Any] = {}

    def stage(self, what: str) -> None:
        if self._bars is not None:
            self.console.print(f"[dim]{_plain(what)}[/dim]")
            return
        if self._status is None:
            self._status = self.console.status(_plain(what))
            self._status.start()
        self._status.update(_plain(what))

    def note(self, text: str) -> None:
        self.console.print(f"[yellow]note[/yellow] {_plain(text)}")

    def start(self, totals: Mapping[str, int]) -> None:
        super().start(totals)
        self._stop_status()
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            expand=True,
        )
        for task, total in totals.items():
            self._ids[task] = self._bars.add_task(_plain(task), total=total, rate="")
        self._bars.start()

    def advance(self, task: str, documents: int = 1) -> None:
        super().advance(task, documents)
        if self._bars is not None:
            self._bars.advance(self._ids[task], documents)

    def tokens(self, count: int) -> None:
        if self._bars is None:
            return
        rate = f"{count / max(time.monotonic() - self.began, 1e-9):,.0f} tok/s"
        for task, identity in self._ids.items():
            running = self.done.get(task, 0) < self.totals[task]
            self._bars.update(identity, rate=rate if running else "")

    def finish(self) -> None:
        self._stop_status()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _plain(text: str) -> str:
    """Names and error texts come from outside: rich must not read them as markup, nor the terminal as commands."""
    from rich.markup import escape

    return escape(safe.line(text))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
