"""Stopping a run: the first Ctrl-C finishes the answers in flight; a second one, or SIGTERM, does not wait for them.

Python runs a signal handler only between two bytecodes, and a forward pass can last longer than a cluster's scheduler
waits. So a thread reads the signals too: it reports the first Ctrl-C at once, and after SIGTERM it saves the finished
answers and ends the process if the main thread does not react in time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from evalkit.errors import Interrupted

__all__ = ["Stop"]

PATIENCE = 3.0
"""Seconds after SIGTERM until the process ends without the main thread. Schedulers kill after about five."""

_KEPT = "what had finished is kept, and the same command goes on from there"


class Stop:
    """While entered, signals set `requested` (send no more) and `now` (do not wait for what is in flight).

    Outside the main thread there are no signals, and this does nothing.
    """

    def __init__(self, rescue: Callable[[], None] = lambda: None, announce: Callable[[], None] = lambda: None) -> None:
        """`rescue` saves the finished answers; `announce` tells the user that the first Ctrl-C was received."""
        self.requested = False
        self.now = False
        self.reason = ""
        self.announce = announce
        self._signals = 0
        self._rescue = rescue
        self._previous: dict[int, Any] = {}
        self._old_wakeup = -1
        self._pipe: tuple[int, int] | None = None
        self._done = threading.Event()

    def __enter__(self) -> Stop:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        read, write = os.pipe()
        os.set_blocking(write, False)
        self._pipe = (read, write)
        self._old_wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(read,), name="evalkit-stop", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._pipe is not None:
            signal.set_wakeup_fd(self._old_wakeup)
            os.close(self._pipe[1])
            self._pipe = None
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def raise_if_requested(self) -> None:
        if self.requested:
            raise Interrupted(f"{self.reason}; {_KEPT}")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        self.now = self._signals > 1 or number == signal.SIGTERM
        self.requested = True
        self.reason = "terminated" if number == signal.SIGTERM else "interrupted"

    def _watch(self, read: int) -> None:
        seen = 0
        while True:
            received = os.read(read, 1)
            if not received:
                os.close(read)
                return
            if received[0] not in (signal.SIGINT, signal.SIGTERM):
                continue
            seen += 1
            if received[0] == signal.SIGTERM:
                threading.Thread(target=self._leave, args=(threading.Event(),), daemon=True).start()
            elif seen == 1:
                # The main thread may not have run the signal's handler yet, and the progress display must stop now.
                self.requested, self.reason = True, "interrupted"
                with contextlib.suppress(Exception):  # a closed stream must not end this thread
                    self.announce()
            else:
                self.now = True
                if not _interactive():
                    threading.Thread(target=self._leave, args=(self._done,), daemon=True).start()

    def _leave(self, unless: threading.Event) -> None:
        """End the process after PATIENCE seconds, unless the event is set first.

        After SIGTERM nothing sets it, since cleaning up may take too long as well.
        """
        if unless.wait(PATIENCE):
            return
        try:
            self._rescue()
            os.write(2, f"\nevalkit: {self.reason or 'terminated'}; {_KEPT}\n".encode())
        finally:
            os._exit(Interrupted.exit_code)


def _interactive() -> bool:
    """Whether this Python is interactive, as in a notebook: such a process must not be ended."""
    return hasattr(sys, "ps1")
