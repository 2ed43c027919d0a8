"""Starting the sandbox server and speaking with it, from the harness's side."""

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
from pathlib import Path
from typing import Any

from evalkit.errors import SandboxError
from evalkit.sandbox.inside.limits import Limits
from evalkit.types import Program, Verdict

__all__ = ["Job", "Judged", "Server"]

_BOOT = """\
import sys
sys.path.insert(0, sys.argv[1])
from inside import server
del sys.path[0]
server.main(sys.argv[2:])
"""
_START_SECONDS = 60
_LEAVE_SECONDS = 12
"""What the server gets to end its processes and itself. It takes a few milliseconds where the machine has time."""
_KILLED_SECONDS = 5
"""What processes get that the kernel ends because the server was killed."""
_MAX_REPORT = 1 << 13


class Server:
    """One running server and a socket to each of its workers."""

    def __init__(self, tier: str, workers: int, limits: Limits) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, _packets()) for _ in range(workers + 1)]
        ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
        # A venv's launcher may need to be told where its shared library is; the server clears it at once.
        kept = {k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")}
        command = [sys.executable, "-I", "-S", "-B", "-c", _BOOT, str(Path(__file__).parent), tier]
        command += [json.dumps(dataclasses.asdict(limits)), str(os.getpid())]
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
        self.facts = self._greeting()

    def _greeting(self) -> dict[str, Any]:
        ready, _, _ = select.select([self._lifeline], [], [], _START_SECONDS)
        message = self._lifeline.recv(1 << 16) if ready else b""
        facts: dict[str, Any] = json.loads(message) if message else {"failed": "the server ended without a word"}
        if "failed" in facts:
            self.close()
            raise SandboxError(str(facts["failed"]))
        return facts

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Ends the server and every process that it started, and returns when all of them are gone."""
        for end in (self._lifeline, *self.controls):
            # Closing alone says nothing while a process that was forked meanwhile holds the same end.
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
    """A program on its way through a worker, and the descriptors that carry it."""

    def __init__(self, program: Program) -> None:
        tests = {"tests": program.tests, "prelude": program.prelude, "entry_point": program.entry_point}
        self._report, report = os.pipe()
        os.set_blocking(self._report, False)
        self._sent = [_file(program.source), _file(json.dumps(tests)), report]

    def send(self, control: socket.socket) -> None:
        socket.send_fds(control, [b"judge"], self._sent)
        for fd in self._sent:
            os.close(fd)
        self._sent = []

    def judged(self, message: bytes) -> Judged:
        """From what the worker saw and what the tester reported; a limit that was reached outweighs a report."""
        how, detail, seconds = json.loads(message)
        seconds = round(float(seconds), 6)
        if how == "lost":
            return Judged(Verdict("sandbox_error", str(detail), seconds), again=True)
        if how == "killed":
            # Where it happens again and again it is the program's doing, and the program's failure.
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
        # Tests that do not run are no program's fault, and do not run a second time either.
        return Judged(Verdict(name, str(reason), seconds))

    def close(self) -> None:
        for fd in (self._report, *self._sent):
            os.close(fd)
        self._sent = []


def _wait_for_session(leader: int) -> None:
    """Waits until no process of the session is left. The kernel ends workers with the server, programs with workers."""
    deadline = time.monotonic() + _KILLED_SECONDS
    while _session_has_processes(leader) and time.monotonic() < deadline:
        time.sleep(0.005)


def _session_has_processes(leader: int) -> bool:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            state, _, _, session = stat.read_bytes().rpartition(b")")[2].split()[:4]
            if int(session) == leader and state != b"Z":
                return True
    return False


def _packets() -> int:
    return socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM


def _file(text: str) -> int:
    """A file without a name: as large as need be, and read by whoever is handed it."""
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
