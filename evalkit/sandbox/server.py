"""Starts the sandbox server and exchanges messages with it, on the harness's side."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from evalkit.errors import SandboxError
from evalkit.sandbox.inside.limits import Limits
from evalkit.types import Program, Verdict

__all__ = ["Greeting", "Job", "Judged", "Server"]

_BOOT = """\
import sys
sys.path.insert(0, sys.argv[1])
from inside import server
del sys.path[0]
server.main(sys.argv[2:])
"""
_START_SECONDS = 60
"""How long a server may take to say that it is ready."""
_LEAVE_SECONDS = 12
"""What the server gets to end its processes and itself. It takes a few milliseconds where the machine has time."""
_KILLED_SECONDS = 5
"""What processes get that the kernel ends because the server was killed."""
_MAX_REPORT = 1 << 13
"""Bytes of a tester's report; it writes less."""


@dataclasses.dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says of itself as it starts."""

    user: str
    """The user that programs run as, in words."""
    landlock: int
    """The version of Landlock that is used; 0 where none is."""


class Server:
    """One running server process, and a socket to each of its workers."""

    def __init__(self, tier: str, workers: int, limits: Limits, packages: Sequence[str] = ()) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, _packets()) for _ in range(workers + 1)]
        ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
        # A virtual environment's Python may need these to find its shared library. The server clears them at once.
        kept = {k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")}
        command = [sys.executable, "-I", "-S", "-B", "-c", _BOOT, str(Path(__file__).parent), tier]
        command += [json.dumps(dataclasses.asdict(limits)), json.dumps(list(packages)), str(os.getpid())]
        command += [str(end.fileno()) for end in theirs]
        try:
            self._process = subprocess.Popen(
                command,
                env=kept,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[end.fileno() for end in theirs],
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox server could not be started with {sys.executable}: {error}") from None
        finally:
            for end in theirs:
                end.close()
        self._lifeline, *self.controls = ours
        self.greeting = self._greeting()

    def _greeting(self) -> Greeting:
        """Waits for the server's first message; raises SandboxError where it could not confine itself."""
        ready, _, _ = select.select([self._lifeline], [], [], _START_SECONDS)
        message = self._lifeline.recv(1 << 16) if ready else b""
        greeting = json.loads(message) if message else {"failed": "the sandbox server ended as it started"}
        if "failed" in greeting:
            self.close()
            raise SandboxError(str(greeting["failed"]))
        return Greeting(str(greeting["user"]), int(greeting["landlock"]))

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Ends the server and every process that it started, and returns when all of them are gone."""
        for end in (self._lifeline, *self.controls):
            # A process that was forked meanwhile may hold the same end, and then closing alone would not be noticed.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        try:
            self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        if self._process.returncode != 0:  # it could not wait for them itself
            _wait_for_session(self._process.pid)


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What a worker made of one program."""

    verdict: Verdict
    again: bool = False
    """Whether trying again may give another verdict, which then is the right one."""


class Job:
    """One program handed to a worker, with the descriptors that carry it there and its report back."""

    def __init__(self, program: Program) -> None:
        tests = {"tests": program.tests, "prelude": program.prelude, "entry_point": program.entry_point}
        self._report, report = os.pipe()
        os.set_blocking(self._report, False)
        self._sent = [_file(program.source), _file(json.dumps(tests)), report]
        self._seconds = program.seconds

    def send(self, control: socket.socket) -> None:
        """Sends the program to a worker."""
        socket.send_fds(control, [json.dumps({"seconds": self._seconds}).encode()], self._sent)
        for fd in self._sent:
            os.close(fd)
        self._sent = []

    def judged(self, message: bytes) -> Judged:
        """The verdict from the worker's message and the tester's report. A limit that was reached comes first."""
        how, detail, seconds = json.loads(message)
        seconds = round(float(seconds), 6)
        if how == "lost":
            return Judged(Verdict("sandbox_error", str(detail), seconds), again=True)
        if how == "killed":
            # It may have been something else on the machine. Where it happens each time, the program did it.
            return Judged(Verdict("failed", f"exit: {detail}", seconds), again=True)
        if how == "gone":
            if detail.endswith("SIGXCPU"):
                return Judged(Verdict("timed_out", "out of CPU time", seconds))
            return Judged(Verdict("failed", f"exit: {detail}", seconds))
        if how != "done":
            return Judged(Verdict(how, str(detail), seconds))
        try:
            name, reason = json.loads(os.read(self._report, _MAX_REPORT))
        except (OSError, ValueError):
            return Judged(Verdict("sandbox_error", "the tester reported nothing", seconds), again=True)
        # A report that the tests do not run is final: they would not run the second time either.
        return Judged(Verdict(name, str(reason), seconds))

    def close(self) -> None:
        """Closes the descriptors that are still open here."""
        for fd in (self._report, *self._sent):
            os.close(fd)
        self._sent = []


def _wait_for_session(leader: int) -> None:
    """Waits until no process of the session is left. The kernel ends workers with the server, programs with workers."""
    deadline = time.monotonic() + _KILLED_SECONDS
    while _session_has_processes(leader) and time.monotonic() < deadline:
        time.sleep(0.005)


def _session_has_processes(leader: int) -> bool:
    """Whether a process of the session that `leader` leads is still running. Zombies do not count."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            state, _, _, session = stat.read_bytes().rpartition(b")")[2].split()[:4]
            if int(session) == leader and state != b"Z":
                return True
    return False


def _packets() -> int:
    """The kind of socket that keeps the bounds of messages on this system."""
    return socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM


def _file(text: str) -> int:
    """Returns a descriptor of a file without a name that holds the text."""
    data = text.encode("utf-8", "surrogatepass")
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("program", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd
