"""`evalkit` commands in processes of their own, forked from a process that has imported the libraries already.

Starting Python and importing torch, transformers and lm_eval costs some ten seconds of processor time; a fork costs
none of it. A forked command is a process like any other: it has its own number, is killed by any signal, and its
exit code is what a shell would see. Only what is read while importing (HF_HOME, OMP_NUM_THREADS) is the parent's.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tests.helpers.warmserver import SERVER

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A started command, with the methods of `subprocess.Popen` that tests use."""

    stdout: IO[str] | None = None
    stderr: IO[str] | None = None
    returncode: int | None = None

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("r")
        self._connection = connection
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as ready:
                ready.register(self._connection, selectors.EVENT_READ)
                if not ready.select(timeout):
                    raise subprocess.TimeoutExpired("evalkit", timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that is left of both streams, once the process has ended."""
        texts = ["", ""]

        def read(place: int, stream: IO[str]) -> None:
            texts[place] = stream.read()
            stream.close()

        streams = [(place, stream) for place, stream in enumerate((self.stdout, self.stderr)) if stream]
        readers = [threading.Thread(target=read, args=pair, daemon=True) for pair in streams]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return texts[0], texts[1]


def start(
    *argv: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    script: Path | None = None,
) -> Process:
    """Start `evalkit ARGV`, or a Python script; `stdout` and `stderr` may be `subprocess.PIPE` or a file's number."""
    asked = {
        "argv": argv,
        "cwd": str(cwd or Path.cwd()),
        "env": dict(env or os.environ),
        "script": script and str(script),
    }
    pipes: list[int | None] = [None, None]
    given: list[int] = []
    with Path(os.devnull).open("rb") as nothing:
        numbers = [nothing.fileno() if stdin is None else stdin]
        for place, stream in enumerate((stdout, stderr)):
            if stream == subprocess.PIPE:
                pipes[place], write = os.pipe()
                given.append(write)
                numbers.append(write)
            else:
                numbers.append(place + 1 if stream is None else stream)
        connection = _connect()
        socket.send_fds(connection, [b"!"], numbers)
    connection.sendall(json.dumps(asked).encode())
    connection.shutdown(socket.SHUT_WR)
    for number in given:
        os.close(number)
    process = Process(connection)
    process.stdout, process.stderr = (None if pipe is None else os.fdopen(pipe, "r") for pipe in pipes)
    return process


def run(
    *argv: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str | None = None,
    timeout: float = 600,
    script: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `evalkit ARGV` to its end, as `subprocess.run(…, capture_output=True, text=True)` does."""
    with tempfile.TemporaryFile("w+") as given:
        given.write(input or "")
        given.flush()
        given.seek(0)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = start(*argv, env=env, cwd=cwd, stdin=given.fileno(), script=script, **pipes)
        try:
            out, err = process.communicate(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.wait(), out, err)


def program(folder: Path) -> Path:
    """Write an executable `evalkit` for shell scripts into a folder: it hands its arguments to the warm process."""
    file = folder / "evalkit"
    client = shlex.join([sys.executable, "-S", "-E", str(Path(SERVER)), "client", _server()])
    file.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
    file.chmod(0o755)
    return file


# ── the process that is forked from ──────────────────────────────────────────

_started: list[tuple[Any, str]] = []


def _server() -> str:
    """The address of this process's server, started at the first need; it ends with this process."""
    if not _started:
        address = str(Path(tempfile.mkdtemp(prefix="evalkit-warm-", dir="/tmp")) / "s")
        process = subprocess.Popen(
            [sys.executable, SERVER, "serve", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        _started.append((process, address))
    return _started[0][1]


def _connect() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_server())
    return connection
