"""Hands programs to the workers from a thread of its own and collects their verdicts."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import SandboxError
from evalkit.sandbox.inside.limits import Limits
from evalkit.sandbox.server import Greeting, Job, Server
from evalkit.types import Program, Verdict

__all__ = ["Pool"]

_ATTEMPTS = 3
"""How often a program is tried where the sandbox could not judge it."""
_AHEAD = 2
"""Programs that a worker holds at a time, so that it need not wait for this thread between two of them."""
_FAILED_STARTS = 3
"""How often starting a new server is tried after one died."""


@dataclass
class _Item:
    """One submitted program, its key, and how often it was tried."""

    program: Program
    key: Any
    attempts: int = 0
    job: Job | None = None


@dataclass
class _Worker:
    """One worker's socket, and the programs that it holds in the order of its answers."""

    control: socket.socket
    items: deque[_Item] = field(default_factory=deque)


class Pool:
    """Hands programs to a server's workers, and starts another server when it dies."""

    def __init__(self, tier: str, workers: int, limits: Limits, packages: Sequence[str] = ()) -> None:
        self._tier, self._count, self._limits, self._packages = tier, workers, limits, packages
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._suspects: deque[_Item] = deque()
        self._done: deque[tuple[Any, Verdict]] = deque()
        self._submitted = self._taken = 0
        self._failure: SandboxError | None = None
        self._closing = False
        self._restarts = 0
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._server = Server(tier, workers, limits, packages)
        self._workers = [_Worker(control) for control in self._server.controls]
        self._thread = threading.Thread(target=self._run, name="evalkit-sandbox", daemon=True)
        self._thread.start()

    @property
    def greeting(self) -> Greeting:
        """What the running server said of itself as it started."""
        return self._server.greeting

    @property
    def server_pid(self) -> int:
        """The process id of the running server."""
        return self._server.pid

    @property
    def restarts(self) -> int:
        """How often a dead server was replaced."""
        return self._restarts

    @property
    def pending(self) -> int:
        """How many programs were submitted and their verdicts not yet taken."""
        with self._changed:
            return self._submitted - self._taken

    def submit(self, program: Program, key: Any) -> None:
        """Queues a program and returns at once."""
        with self._changed:
            self._check()
            self._waiting.append(_Item(program, key))
            self._submitted += 1
        self._wake()

    def completed(self, wait: bool) -> Iterator[tuple[Any, Verdict]]:
        """Yields (key, verdict) pairs: those there are, or with `wait` until all submitted programs are judged."""
        while True:
            with self._changed:
                while wait and not self._done and self._submitted > self._taken:
                    self._check()
                    self._changed.wait(1.0)
                if not self._done:
                    if self._submitted > self._taken:
                        self._check()
                    return
                self._taken += 1
                finished = self._done.popleft()
            yield finished

    def close(self) -> None:
        """Ends the server and all its processes; returns when they are gone."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
        self._wake()
        self._thread.join()
        self._server.close()
        for worker in self._workers:
            for item in worker.items:
                if item.job:
                    item.job.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _check(self) -> None:
        """Raises SandboxError where no verdict can be expected any more."""
        if self._failure:
            raise self._failure
        if self._closing:
            raise SandboxError("the sandbox is closed; start another")

    def _wake(self) -> None:
        """Makes the thread look again at what is waiting."""
        try:
            os.write(self._wake_in, b"!")
        except BlockingIOError:
            return  # the pipe is full, so the thread will wake anyway

    # ── the thread ───────────────────────────────────────────────────────────

    def _run(self) -> None:
        """Hands out programs and takes verdicts until the pool is closed or can go on no more."""
        while not self._closing:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_out, selectors.EVENT_READ)
                for worker in self._workers:
                    selector.register(worker.control, selectors.EVENT_READ, worker)
                try:
                    while not self._closing:
                        self._hand_out()
                        for ready, _ in selector.select():
                            if ready.data is None:
                                os.read(self._wake_out, 4096)
                            else:
                                self._take(ready.data)
                except (ConnectionError, BrokenPipeError, EOFError):
                    if not self._closing and not self._start_again():
                        return
                except Exception as error:  # nobody would see this thread's traceback: `completed` raises it instead
                    self._fail(f"the sandbox stopped working: {type(error).__name__}: {error}")
                    return

    def _hand_out(self) -> None:
        """Sends waiting programs to the workers with the fewest, as many as they may hold."""
        with self._changed:
            busy = sum(len(w.items) for w in self._workers)
            while self._suspects or self._waiting:
                # A program that was running when a server died runs alone, so that it cannot take others with it again.
                alone = bool(self._suspects)
                if alone and busy:
                    return
                worker = min(self._workers, key=lambda w: len(w.items))
                if len(worker.items) >= (_AHEAD if len(self._waiting) > 2 * self._count else 1):
                    return
                item = self._suspects.popleft() if alone else self._waiting.popleft()
                item.attempts += 1
                item.job = Job(item.program)
                worker.items.append(item)
                busy += 1
                item.job.send(worker.control)

    def _take(self, worker: _Worker) -> None:
        """Receives one verdict; the program is queued again where another attempt may judge it better."""
        message = worker.control.recv(1 << 16)
        if not message:
            raise EOFError
        item = worker.items.popleft()
        assert item.job is not None
        judged = item.job.judged(message)
        item.job.close()
        item.job = None
        with self._changed:
            if judged.again and item.attempts < _ATTEMPTS:
                self._waiting.append(item)
                return
            self._done.append((item.key, judged.verdict))
            self._changed.notify_all()

    def _start_again(self) -> bool:
        """Starts another server after one died, and queues the programs that it held; False where that fails."""
        self._server.close()
        with self._changed:
            for worker in self._workers:
                for place, item in enumerate(worker.items):
                    if item.job:
                        item.job.close()
                        item.job = None
                    if place > 0:
                        item.attempts -= 1
                        self._waiting.appendleft(item)
                    elif item.attempts < _ATTEMPTS:
                        self._suspects.append(item)
                    else:
                        reason = f"the sandbox server died {_ATTEMPTS} times with this program in it"
                        self._done.append((item.key, Verdict("sandbox_error", reason, 0.0)))
                worker.items.clear()
            self._changed.notify_all()
            self._restarts += 1
        problem: SandboxError | None = None
        for _ in range(_FAILED_STARTS):
            try:
                self._server = Server(self._tier, self._count, self._limits, self._packages)
            except SandboxError as error:
                problem = error
                continue
            self._workers = [_Worker(control) for control in self._server.controls]
            return True
        self._fail(f"the sandbox server died and cannot be started again: {problem}")
        return False

    def _fail(self, reason: str) -> None:
        """Makes every later call raise SandboxError with this reason."""
        with self._changed:
            self._failure = SandboxError(reason)
            self._changed.notify_all()
