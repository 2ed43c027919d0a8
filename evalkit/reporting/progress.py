"""Shows the progress of a run: live bars on a terminal, plain lines elsewhere, nothing with --quiet.

Everything goes to stderr, so that stdout holds only results.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TextIO

from evalkit import safe
from evalkit.reporting.pace import Pace

__all__ = ["Bars", "Lines", "Progress"]


class Progress:
    """Counts documents and shows nothing. The subclasses show them."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.totals: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.pace = Pace(now)

    @staticmethod
    def open(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
        """Bars if the stream is a terminal, else lines; nothing is shown if `quiet`."""
        stream = stream or sys.stderr
        if quiet:
            return Progress()
        return Bars(stream) if stream.isatty() else Lines(stream)

    def stage(self, what: str) -> None:
        """A step that may take long has begun: loading, building, encoding."""

    def note(self, text: str) -> None:
        """A message for the user, which stays on the screen."""

    def start(self, totals: Mapping[str, int]) -> None:
        """The number of documents for each requested task."""
        self.totals, self.done = dict(totals), {}
        self.pace.start(sum(totals.values()))

    def known(self) -> None:
        """All answers from the journal are counted: measure the speed from here."""
        self.pace.known()

    def advance(self, task: str, documents: int = 1) -> None:
        self.done[task] = self.done.get(task, 0) + documents
        self.pace.advance(documents)

    def tokens(self, count: int) -> None:
        """Prompt and generated tokens processed so far."""
        self.pace.tokens(count)

    def replicas(self, working: int, wanted: int) -> None:
        """So many copies of the model are at work, of those that are wanted."""
        self.pace.replicas = (working, wanted)

    def stopping(self, in_flight: int) -> None:
        """Ctrl-C was pressed; `in_flight` answers are awaited. May be called from another thread."""

    def finish(self) -> None:
        """The run is over; no more documents will be graded."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


class Lines(Progress):
    """For logs: prints a line for each stage, then one every ten seconds."""

    EVERY = 10.0

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(now)
        self.stream = stream
        self._now = now
        self._last = now()

    def _print(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {safe.line(text)}", file=self.stream, flush=True)

    def stage(self, what: str) -> None:
        self._print(what)

    def note(self, text: str) -> None:
        self._print(f"note: {text}")

    def start(self, totals: Mapping[str, int]) -> None:
        super().start(totals)
        self._print(f"{sum(totals.values())} documents in {', '.join(totals)}")

    def known(self) -> None:
        super().known()
        if self.pace.kept:
            self._print(f"{self.pace.kept} of them are answered already")

    def replicas(self, working: int, wanted: int) -> None:
        super().replicas(working, wanted)
        self._print(f"{working} of {wanted} replicas at work")

    def advance(self, task: str, documents: int = 1) -> None:
        super().advance(task, documents)
        now = self._now()
        if now - self._last >= self.EVERY:
            self._last = now
            self._print(self._summary())

    def stopping(self, in_flight: int) -> None:
        self._print(stopping_text(in_flight))

    def _summary(self) -> str:
        open_tasks = [f"{t} {self.done.get(t, 0)}/{n}" for t, n in self.totals.items() if self.done.get(t, 0) < n]
        where = f": {', '.join(open_tasks)}" if len(self.totals) > 1 and open_tasks else ""
        return f"{self.pace.done}/{self.pace.total} documents, {self.pace.text()}{where}"


class Bars(Progress):
    """For a terminal: shows a bar for each requested task, and one for all if there are several."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(now)
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self._status: Any = None
        self._bars: Any = None
        self._ids: dict[str, Any] = {}
        self._overall: Any = None
        self._lock = threading.RLock()

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
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.progress import Task as RichTask
        from rich.table import Column
        from rich.text import Text

        pace, several = self.pace, len(totals) > 1

        class PaceColumn(ProgressColumn):
            """Speed and times, shown only once: on the bar for all tasks, or on the only bar."""

            def render(self, task: RichTask) -> Text:
                return Text("" if task.fields["quiet"] else pace.text())

        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            PaceColumn(Column(no_wrap=True)),
            console=self.console,
            expand=True,
        )
        for task, total in totals.items():
            self._ids[task] = self._bars.add_task(_plain(task), total=total, quiet=several)
        self._overall = self._bars.add_task("[bold]all[/bold]", total=self.pace.total, quiet=False) if several else None
        self._bars.start()

    def advance(self, task: str, documents: int = 1) -> None:
        super().advance(task, documents)
        with self._lock:
            if self._bars is not None:
                self._bars.advance(self._ids[task], documents)
                if self._overall is not None:
                    self._bars.advance(self._overall, documents)

    def stopping(self, in_flight: int) -> None:
        self._stop_bars()
        self._stop_status()
        self.console.print(f"[yellow]{stopping_text(in_flight)}[/yellow]")

    def finish(self) -> None:
        self._stop_status()
        self._stop_bars()

    def _stop_bars(self) -> None:
        """Stop the bars; they stay on the screen."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def _stop_status(self) -> None:
        with self._lock:
            if self._status is not None:
                self._status.stop()
                self._status = None


def stopping_text(in_flight: int) -> str:
    """The message after a Ctrl-C."""
    doing = f"finishing {in_flight:,} answers in flight" if in_flight else "stopping"
    return f"{doing}; Ctrl-C again stops now"


def _plain(text: str) -> str:
    """The text escaped: names and errors come from outside, and must not act as rich markup or terminal commands."""
    from rich.markup import escape

    return escape(safe.line(text))
