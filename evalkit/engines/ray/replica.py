"""One replica: an engine in a process of its own, that is given work and asked for answers by numbered calls.

Either call may be lost, or come twice, where the network fails for a moment. So each has a number: work that was given
already is not taken again, and answers that were not received are sent again. Nothing here knows of Ray.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from evalkit.engines.base import Engine, notify_through
from evalkit.engines.spec import EngineSettings, find_spec, start
from evalkit.engines.streaming import Stream
from evalkit.errors import AdaptersRefused, EngineError, EvalkitError
from evalkit.types import Adapter, Answer, ModelSpec, Usage, Work

__all__ = ["Fault", "Loaded", "Replica", "Setup", "Taken"]

_GATHER = 0.02
"""Seconds that the first answer waits for others, so that they travel together."""
_BUNDLE = 64
_IDLE = 0.002


@dataclass(frozen=True, slots=True)
class Setup:
    """What a replica loads."""

    engine: str
    model: ModelSpec
    adapters: tuple[Adapter, ...]
    settings: EngineSettings


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a replica has loaded, and where."""

    host: str
    pid: int
    fingerprint: str | None
    """Of the files it read; None where the model is not a folder."""
    description: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a replica cannot go on."""

    kind: str
    """The name of a class in evalkit.errors."""
    message: str
    refused: Mapping[str, str] = field(default_factory=dict)
    """Adapters that the engine does not take, with the reasons."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one `take`."""

    number: int
    state: Literal["loading", "ready", "failed"]
    answers: tuple[Answer, ...] = ()
    usage: Usage = field(default_factory=Usage)
    rested: int = 0
    """Runs that it has finished; its usage is exact when it has finished all that ended."""
    settled: int = 0
    """The number of the last `give` whose work, and all before it, has ended: what is not answered of it was lost."""
    loaded: Loaded | None = None
    fault: Fault | None = None
    lines: tuple[str, ...] = ()
    """What the engine wants to tell the user."""


@dataclass(frozen=True, slots=True)
class _EndOfRun:
    """No more work will come in this run."""


class Replica:
    """Loads an engine in a thread, and answers calls while it loads and works."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._inbox: queue.SimpleQueue[Work | _EndOfRun] = queue.SimpleQueue()
        self._given = 0
        self._rested = 0
        self._settled = 0
        self._run_ended = False
        self._outbox: list[Answer] = []
        self._lines: list[str] = []
        self._sent = Taken(0, "loading")
        self._loaded: Loaded | None = None
        self._fault: Fault | None = None
        self._engine: Engine | None = None
        self._news = threading.Condition()
        self._calls = threading.Lock()
        threading.Thread(target=self._serve, name="evalkit-replica", daemon=True).start()

    def pid(self) -> int:
        return os.getpid()

    def give(self, number: int, items: Sequence[Work], end: bool = False) -> int:
        """Take work. A number that was given before is ignored. Returns the last number that was taken."""
        with self._calls:
            if number == self._given + 1:
                self._given = number
                for item in items:
                    self._inbox.put(item)
                if end:
                    self._inbox.put(_EndOfRun())
            return self._given

    def take(self, number: int, patience: float) -> Taken:
        """The answers with this number: those of the last call again, or new ones, waiting at most `patience`."""
        with self._news:
            until = time.monotonic() + patience
            while number > self._sent.number and not self._has_news() and (left := until - time.monotonic()) > 0:
                self._news.wait(left)
            until = min(until, time.monotonic() + _GATHER)
            while 0 < len(self._outbox) < _BUNDLE and (left := until - time.monotonic()) > 0:
                self._news.wait(left)
            if number == self._sent.number + 1:
                self._sent = self._bundle(number)
            # A call that comes late must not take answers: the caller no longer listens to its number.
            return self._sent

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    # ── inside ───────────────────────────────────────────────────────────────

    def _has_news(self) -> bool:
        first = self._loaded is not None and self._sent.state == "loading"
        rested = self._rested > self._sent.rested
        return bool(self._outbox or self._lines or self._fault or first or rested)

    def _bundle(self, number: int) -> Taken:
        answers, self._outbox = tuple(self._outbox), []
        lines, self._lines = tuple(self._lines), []
        state: Literal["loading", "ready", "failed"] = "loading" if self._loaded is None else "ready"
        if self._fault is not None:
            state = "failed"
        usage = replace(self._engine.usage) if self._engine is not None else Usage()
        return Taken(number, state, answers, usage, self._rested, self._settled, self._loaded, self._fault, lines)

    def _serve(self) -> None:
        try:
            stream = Stream(self._load())
            while True:
                first = self._inbox.get()
                self._run_ended = isinstance(first, _EndOfRun)
                if not isinstance(first, _EndOfRun):
                    for answer in stream.run(self._work(first, stream)):
                        with self._news:
                            self._outbox.append(answer)
                            self._news.notify_all()
                self._settle()
                with self._news:
                    self._rested += self._run_ended
                    self._news.notify_all()
        except AdaptersRefused as error:
            self._fail(Fault(type(error).__name__, str(error), dict(error.why)))
        except EvalkitError as error:
            self._fail(Fault(type(error).__name__, str(error)))
        except Exception as error:
            self._fail(Fault(EngineError.__name__, f"{type(error).__name__}: {error}"[:500]))

    def _load(self) -> Engine:
        setup = self._setup
        spec = find_spec(setup.engine)
        # Importing transformers takes seconds, and hundreds of megabytes in each replica.
        tokenizer = spec.load_tokenizer(_Located(setup.model)) if spec.start_needs_tokenizer else None
        engine = start(spec, setup.model, tokenizer, setup.adapters, setup.settings)
        notify_through(engine, self._say)
        loaded = Loaded(socket.gethostname(), os.getpid(), fingerprint_of(setup.model), dict(engine.description))
        with self._news:
            self._engine, self._loaded = engine, loaded
            self._news.notify_all()
        return engine

    def _work(self, first: Work, stream: Stream) -> Iterator[Work | None]:
        yield first
        while True:
            try:
                item = self._inbox.get_nowait()
            except queue.Empty:
                if stream.resting:
                    self._settle()
                time.sleep(_IDLE)
                yield None
                continue
            if isinstance(item, _EndOfRun):
                self._run_ended = True
                return
            yield item

    def _settle(self) -> None:
        """Note that the engine has nothing to do, and has yielded all answers that it will."""
        with self._calls:
            if self._inbox.empty():
                self._settled = self._given

    def _say(self, line: str) -> None:
        with self._news:
            self._lines.append(line)
            self._news.notify_all()

    def _fail(self, fault: Fault) -> None:
        with self._news:
            self._fault = fault
            self._news.notify_all()


def fingerprint_of(model: ModelSpec) -> str | None:
    """The fingerprint of the files that this process would read; None where the model is not a folder here."""
    from evalkit.models.fingerprint import fingerprint

    folder = Path(model.source)
    return fingerprint(folder) if folder.is_dir() else None


class _Located:
    """A model whose folder is known, as far as loading its tokenizer needs it."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.fingerprint = ""

    def key(self, adapter: Adapter | None) -> str:
        raise NotImplementedError("keys are made where the journal is")

    def manifest(self) -> Mapping[str, object]:
        raise NotImplementedError("manifests are made where the run is")

    def opened_from(self, spec: ModelSpec) -> _Located:
        return _Located(spec)
