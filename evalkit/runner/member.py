"""One model of a sweep: a process that was forked for its run, and the messages between it and the sweep."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from evalkit.engines.base import Copied, Engine
from evalkit.errors import CouldNotDo, EvalkitError, Interrupted
from evalkit.results import Run
from evalkit.runner.writing import Outcome

__all__ = ["Ended", "Grow", "Member", "Message", "Progressed", "Replicas", "Reports", "Said", "Stopped", "fork"]

_EVERY = 0.2
"""Seconds between two messages about progress."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something the user should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """So many documents more are graded, and so many tokens were read and written in all."""

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many replicas are at work."""

    working: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The runs that were written: folder, exit code and problem of each."""

    outcomes: tuple[tuple[str | None, int, str | None], ...]

    def opened(self) -> list[Outcome]:
        return [
            Outcome(None if path is None else Run.open(Path(path)), code, problem)
            for path, code, problem in self.outcomes
        ]


Message: TypeAlias = Said | Progressed | Replicas | Ended


@dataclass(frozen=True, slots=True)
class Grow:
    """To a run: take one replica more."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """To a run: send nothing more; `now`: do not wait for what is in flight either."""

    now: bool


# ── here ─────────────────────────────────────────────────────────────────────


class Member:
    """A run as the sweep sees it."""

    def __init__(self, name: str, pid: int, connection: Connection, documents: int, begun: float) -> None:
        self.name = name
        self.connection = connection
        self.load_seconds: float | None = None
        """From asking for its first replica until that works."""
        self.worked = 0.0
        """Seconds that its replicas have worked, together."""
        self.working = 0
        self.tokens = 0
        self._pid = pid
        self._left = documents
        self._done = 0
        self._begun = begun
        self._counted = begun
        self._stop: Stopped | None = None

    def count(self, now: float) -> None:
        """Count the time that has passed as work of its replicas."""
        self.worked += self.working * (now - self._counted)
        self._counted = now

    @property
    def seconds_left(self) -> float | None:
        """What one replica would still need; None while that is not known."""
        if self._done < 2 or not self.worked:
            return None
        return self.worked / self._done * self._left

    def take(self, message: Progressed | Replicas) -> None:
        if isinstance(message, Replicas):
            self.working = message.working
            if self.load_seconds is None and message.working:
                self.load_seconds = time.monotonic() - self._begun
        else:
            self._done += message.documents
            self._left = max(0, self._left - message.documents)
            self.tokens = message.tokens

    def grow(self) -> None:
        self._send(Grow())

    def stop(self, now: bool) -> None:
        if self._stop != Stopped(now):
            self._stop = Stopped(now)
            self._send(self._stop)

    def messages(self) -> Iterator[Message]:
        """What has come in. The last one is Ended, also if the process was killed."""
        try:
            while self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            how = self.wait()
            problem = f"{self.name}: its run was ended by {how}; what had finished is kept"
            yield Ended(((None, CouldNotDo.exit_code, problem),))

    def wait(self) -> str:
        """Wait for the end of the process; returns how it ended."""
        if not self._pid:
            return "itself"
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    def end(self, patience: float = 6.0) -> None:
        """Make sure that the process is gone."""
        if not self._pid:
            return
        os.kill(self._pid, signal.SIGTERM)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                self._pid = 0
                return
            time.sleep(0.05)
        os.kill(self._pid, signal.SIGKILL)
        self.wait()

    def _send(self, message: Grow | Stopped) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(message)


# ── in the forked process ────────────────────────────────────────────────────


class Reports:
    """The listener of a run in a forked process: it passes on what the sweep shows."""

    def __init__(self, name: str, connection: Connection) -> None:
        self._name = name
        self._connection = connection
        self._lock = threading.Lock()
        self._documents = self._tokens = 0
        self._sent = 0.0

    def stage(self, what: str) -> None:
        pass

    def note(self, text: str) -> None:
        self.send(Said(f"{self._name}: {text}"))

    def start(self, totals: Mapping[str, int]) -> None:
        pass

    def known(self) -> None:
        self._tell(at_once=True)

    def advance(self, task: str, documents: int = 1) -> None:
        self._documents += documents
        self._tell()

    def tokens(self, count: int) -> None:
        self._tokens = count

    def replicas(self, working: int, wanted: int) -> None:
        self.send(Replicas(working, wanted))

    def stopping(self, in_flight: int) -> None:
        pass

    def finish(self) -> None:
        self._tell(at_once=True)

    def send(self, message: Message) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._sent >= _EVERY:
            self._sent = now
            documents, self._documents = self._documents, 0
            self.send(Progressed(documents, self._tokens))


class Crew:
    """Passes the sweep's wishes on to the engine, as soon as there is one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._more = 0
        threading.Thread(target=self._listen, name="evalkit-sweep", daemon=True).start()

    def attend(self, engine: Engine) -> Engine:
        with self._lock:
            self._engine = engine
            more, self._more = self._more, 0
        for _ in range(more):
            self._grow(engine)
        return engine

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os.kill(os.getpid(), signal.SIGTERM)  # the sweep is gone
                return
            if isinstance(message, Stopped):
                os.kill(os.getpid(), signal.SIGTERM if message.now else signal.SIGINT)
                continue
            with self._lock:
                engine = self._engine
                self._more += engine is None
            if engine is not None:
                self._grow(engine)

    def _grow(self, engine: Engine) -> None:
        if isinstance(engine, Copied):
            engine.grow()


def fork(
    name: str,
    documents: int,
    begun: float,
    run: Callable[[Reports, Crew], Sequence[Outcome]],
    forget: Callable[[], None],
) -> Member:
    """Run in a forked process. `forget`: closes there what belongs to this process alone."""
    here, there = Pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: none of ours is needed there
        pid = os.fork()
    if pid:
        there.close()
        return Member(name, pid, here, documents, begun)
    try:
        # Of its own group: a Ctrl-C of the terminal reaches the sweep, which passes it on.
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        here.close()
        forget()
        reports = Reports(name, there)
        ended = _run(name, lambda: run(reports, Crew(there)))
        reports.finish()
        reports.send(ended)
        there.close()
    finally:
        os._exit(0)


def _run(name: str, run: Callable[[], Sequence[Outcome]]) -> Ended:
    try:
        outcomes = run()
    except EvalkitError as error:
        return Ended(((None, error.exit_code, f"{name}: {error}"),))
    except KeyboardInterrupt:
        return Ended(((None, Interrupted.exit_code, f"{name}: interrupted"),))
    except Exception as error:
        return Ended(((None, CouldNotDo.exit_code, f"{name}: {type(error).__name__}: {error}"[:500]),))
    return Ended(
        tuple(
            (None if outcome.run is None else str(outcome.run.path), outcome.exit_code, outcome.problem)
            for outcome in outcomes
        )
    )
