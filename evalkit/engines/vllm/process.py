"""The worker's process. It has its own session, so that a Ctrl-C on the terminal reaches only the harness.

When the harness or the worker ends, even by SIGKILL, the worker and every process that vLLM started are killed at once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

__all__ = ["Gone", "Worker", "die_with_parent"]


_END = object()


class Gone(Exception):
    """The worker ended; the message says how."""


class Worker:
    """A child process that runs `module`'s main and talks over a pipe; its output goes to a temporary log."""

    def __init__(self, module: str) -> None:
        ours, theirs = socket.socketpair()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — open as long as the worker lives
        package_root = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        )
        theirs.close()
        self.pipe = Connection(ours.detach())
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="vllm-answers", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except (BrokenPipeError, ConnectionError) as error:
            raise Gone(self._how_it_ended()) from error

    def receive(self, timeout: float | None = None) -> Any:
        """The next message; None after the timeout. Without a timeout, waits as long as the worker lives."""
        # A process that vLLM forked may hold the pipe open, so the worker's process is checked too.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._open(self._inbox.get(timeout=1.0 if timeout is None else timeout))
            if timeout is not None:
                return None
            if self._process.poll() is not None and self._inbox.empty():
                raise Gone(self._how_it_ended())

    def _open(self, message: Any) -> Any:
        if message is _END:
            self._inbox.put(_END)
            raise Gone(self._how_it_ended())
        return message

    def _listen(self) -> None:
        """Read messages from the pipe at once: else both sides could block while writing to full pipes."""
        try:
            while True:
                self._inbox.put(self.pipe.recv())
        except (EOFError, OSError):
            self._inbox.put(_END)

    def log(self, size: int = 64 * 1024) -> str:
        """The end of the output of the worker and vLLM."""
        with contextlib.suppress(OSError, ValueError):
            length = os.fstat(self._log.fileno()).st_size
            return os.pread(self._log.fileno(), size, max(0, length - size)).decode(errors="replace")
        return ""

    def close(self, patience: float = 10.0) -> None:
        """Ask the worker to stop, and kill it if it does not. Safe to call twice."""
        if self._log.closed:
            return
        with contextlib.suppress(OSError, ValueError):
            self.pipe.send(("stop",))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self.kill()
        self._log.close()

    def kill(self) -> None:
        """Kill the whole session: the worker and every process that vLLM started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.poll()
        if code is None:
            return "the process closed its pipe"
        if code == -signal.SIGKILL:
            return "the process was killed (signal 9): by the system if its memory was full, else by somebody"
        if code < 0:
            return f"the process was killed by {signal.Signals(-code).name}"
        return f"the process ended with exit code {code}"


def die_with_parent(parent: int, pipe: int) -> None:
    """Kill this session when its parent has ended, even by SIGKILL. Call it before any thread starts.

    `pipe`: the descriptor that leads to the parent.
    """
    worker = os.getpid()
    try:
        ends = [os.pidfd_open(parent), os.pidfd_open(worker)]
    except (AttributeError, OSError):  # another system, or a container that does not allow it
        threading.Thread(target=_watch_parent, args=(parent,), name="parent-watch", daemon=True).start()
        return
    # A process, not a thread: a thread has to wait while a library is imported.
    if os.fork() == 0:
        try:
            os.close(pipe)
            _wait_for_one(ends)
            os.killpg(os.getpgid(0), signal.SIGKILL)
        finally:
            os._exit(1)
    for descriptor in ends:
        os.close(descriptor)
    if os.getppid() != parent:
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _wait_for_one(processes: Sequence[int]) -> None:
    """Wait until one of the processes has ended. They are given as descriptors."""
    poll = select.poll()
    for descriptor in processes:
        poll.register(descriptor, select.POLLIN)
    poll.poll()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os.killpg(os.getpgid(0), signal.SIGKILL)
