"""Programs in, verdicts out as they finish, while the harness does something else."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import SandboxError
from evalkit.sandbox.inside.limits import Limits
from evalkit.sandbox.server import Job, Server
from evalkit.types import Program, Verdict

__all__ = ["Pool"]

_ATTEMPTS = 3
_AHEAD = 2
"""Programs handed to a worker at a time: the next one waits there, not for this thread to be scheduled."""
_FAILED_STARTS = 3


@dataclass
class _Item:
    program: Program
    key: Any
    attempts: int = 0
    job: Job | None = None


@dataclass
class _Worker:
    control: socket.socket
    items: deque[_Item] = field(default_factory=deque)


class Pool:
    """Feeds a server's workers from a thread of its own, and starts the server anew when it dies."""

    def __init__(self, tier: str, workers: int, limits: Limits) -> None:
        self._tier, self._count, self._limits = tier, workers, limits
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._suspects: deque[_Item] = deque()
        self._done: deque[tuple[Any, Verdict]] = deque()
        self._submitted = self._taken = 0
        self._failure: SandboxError | None = None
        self._closing = False
        self._restarts = 0
        self._judged_since_start = 0
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._server = Server(tier, workers, limits)
        self._workers = [_Worker(control) for control in self._server.controls]
        self._thread = threading.Thread(target=self._run, name="evalkit-sandbox", daemon=True)
        self._thread.start()

    @property
    def facts(self) -> dict[str, Any]:
        return self._server.facts

    @property
    def server_pid(self) -> int:
        return self._server.pid

    @property
    def restarts(self) -> int:
        return self._restarts

    @property
    def pending(self) -> int:
        with self._changed:
            return self._submitted - self._taken

    def submit(self, program: Program, key: Any) -> None:
        with self._changed:
            self._check()
            self._waiting.append(_Item(program, key))
            self._submitted += 1
        self._wake()

    def completed(self, wait: bool) -> Iterator[tuple[Any, Verdict]]:
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
        if self._failure:
            raise self._failure
        if self._closing:
            raise SandboxError("the sandbox is closed; start another")

    def _wake(self) -> None:
        try:
            os.write(self._wake_in, b"!")
        except BlockingIOError:
            return  # it has not yet seen the last one, and will

    # ── the thread ───────────────────────────────────────────────────────────

    def _run(self) -> None:
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
                except Exception as error:  # nobody reads a thread's traceback: say it where it is waited for
                    self._fail(f"the sandbox stopped working: {type(error).__name__}: {error}")
                    return

    def _hand_out(self) -> None:
        with self._changed:
            busy = sum(len(w.items) for w in self._workers)
            while self._suspects or self._waiting:
                # What was running when a server died runs alone, so that it harms no other again.
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
        message = worker.control.recv(1 << 16)
        if not message:
            raise EOFError
        item = worker.items.popleft()
        assert item.job is not None
        judged = item.job.judged(message)
        item.job.close()
        item.job = None
        with self._changed:
            self._judged_since_start += 1
            if judged.again and item.attempts < _ATTEMPTS:
                self._waiting.append(item)
                return
            self._done.append((item.key, judged.verdict))
            self._changed.notify_all()

    def _start_again(self) -> bool:
        """After the server's death. What it had in hand is tried again, one at a time."""
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
                self._server = Server(self._tier, self._count, self._limits)
            except SandboxError as error:
                problem = error
                continue
            self._workers = [_Worker(control) for control in self._server.controls]
            return True
        self._fail(f"the sandbox server died and cannot be started again: {problem}")
        return False

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._failure = SandboxError(reason)
            self._changed.notify_all()
