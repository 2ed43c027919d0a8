"""Checks a tier before it is used: one plain program must pass, and attempts to reach outside must fail."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import SandboxError
from evalkit.sandbox.pool import Pool
from evalkit.types import Program, Verdict

__all__ = ["CANARIES", "Canary", "check"]


@dataclass(frozen=True)
class Canary:
    """An attempt to reach outside: the body of a function. Where the body raises nothing, the attempt worked."""

    name: str
    body: str

    def program(self, secret: str) -> Program:
        """The attempt with tests that pass where it was refused. `secret` is a file outside the sandbox."""
        lines = "\n".join("        " + line for line in self.body.strip().splitlines())
        source = (
            "import ctypes, os, socket, sys\n"
            f"secret = {secret!r}\nharness = {os.getpid()}\n"
            "def attempt():\n    try:\n" + lines + "\n"
            "    except Exception as error:\n        return 'refused: ' + str(error)\n"
            "    return 'reached'\n"
        )
        tests = "def check(candidate):\n    found = candidate()\n    assert found.startswith('refused'), found\n"
        return Program(source, tests, "attempt")


CANARIES = (
    Canary("reads a file", "open(secret).read()"),
    Canary("lists a folder", "os.listdir(os.path.dirname(secret))"),
    Canary("writes a file", "open(secret + '.new', 'w').write('x')"),
    Canary("empties a file", "os.truncate(secret, 0)"),
    Canary("deletes a file", "os.unlink(secret)"),
    Canary("changes a file's mode", "os.chmod(secret, 0o777)"),
    Canary("opens a socket", "socket.socket(socket.AF_INET, socket.SOCK_STREAM)"),
    Canary("opens a local socket", "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)"),
    Canary("starts a process", "os.fork() or os._exit(0)"),
    Canary("runs a program", "os.execv('/bin/sh', ['sh', '-c', 'exit'])"),
    Canary("signals the harness", "os.kill(harness, 0)"),
    Canary("reads the harness's environment", "open(f'/proc/{harness}/environ', 'rb').read()"),
    Canary(
        "survives its parent",
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.prctl(1, 0, 0, 0, 0) != 0: raise OSError(ctypes.get_errno(), 'prctl')",
    ),
)

_WORKS = Program(
    "import math\nfrom typing import List\ndef total(xs: List[float]) -> float:\n    return math.fsum(xs)\n",
    "def check(candidate):\n    assert candidate([0.1] * 10) == 1.0\n    assert candidate([]) == 0\n",
    "total",
)


_TRIES = 3
"""A canary that runs out of time is tried again: the machine may be busy, and the caller's time limit short."""


def check(pool: Pool) -> None:
    """Raises SandboxError, with the first check that failed, where the tier does not hold."""
    with tempfile.TemporaryDirectory(prefix="evalkit-canary-") as folder:
        secret = Path(folder) / "secret"
        secret.write_text("canary")
        secret.chmod(0o666)
        Path(folder).chmod(0o777)
        programs = {"works": _WORKS} | {canary.name: canary.program(str(secret)) for canary in CANARIES}
        verdicts: dict[str, Verdict] = {}
        for _ in range(_TRIES):
            for name, program in programs.items():
                pool.submit(program, name)
            verdicts |= dict(pool.completed(wait=True))
            programs = {name: p for name, p in programs.items() if verdicts[name].verdict == "timed_out"}
            if not programs:
                break
        if verdicts["works"].verdict != "passed":
            raise SandboxError(f"a plain program does not run in it: {verdicts['works'].reason}")
        for canary in CANARIES:
            if verdicts[canary.name].verdict != "passed":
                raise SandboxError(f"it does not hold: a program that {canary.name}: {verdicts[canary.name].reason}")
        if secret.read_text() != "canary" or list(Path(folder).iterdir()) != [secret]:
            raise SandboxError("it does not hold: a program changed a file outside")
