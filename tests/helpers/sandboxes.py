"""What the sandbox's tests share: programs, tiers that work here, and a look at the processes of a sandbox."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.sandbox import Sandbox
from evalkit.types import Program, Verdict

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
SAFE = ("namespaces", "landlock")
ADD = (
    "def check(candidate):\n"
    "    assert candidate(2, 3) == 5\n"
    "    assert candidate(-7, 7) == 0\n"
    "    assert candidate(123, 456) == 579\n"
    "    assert candidate(10**20, 1) == 100000000000000000001\n"
    "    assert abs(candidate(1, 1) - 2) < 1e-6\n"
)


def tiers_here() -> list[str]:
    return [found.tier for found in Sandbox.probe() if found.works]


def start(tier: str, **options: Any) -> Sandbox:
    if tier != "unsafe-none" and tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    return Sandbox.start(tier, **options)


def canonical(row: dict[str, str]) -> Program:
    return Program(row["prompt"] + row["canonical_solution"], row["test"], row["entry_point"], row["prompt"])


@contextlib.contextmanager
def spinners() -> Iterator[None]:
    """One process that never rests on every core."""
    busy = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def one(box: Sandbox, source: str, tests: str, entry: str | None = None, prelude: str = "") -> Verdict:
    return box.judge([Program(source, tests, entry, prelude)])[0]


def processes() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
    return found


def in_session(leader: int) -> list[int]:
    """Every process that the server started, and it: none of them can leave its session."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(pid)
    return found
