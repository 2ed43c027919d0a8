"""A program's time is its own: waiting for a busy CPU does not count, and nothing a program does hides it."""

from __future__ import annotations

import time

import pytest

from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
from tests.helpers.sandboxes import ADD, SAFE, canonical, spinners, start


@pytest.mark.hub
@pytest.mark.parametrize("tier", SAFE)
def test_canonical_solutions_pass_five_times_with_every_core_busy(tier: str, humaneval: list[dict[str, str]]) -> None:
    programs = [canonical(row) for row in humaneval]
    with start(tier) as box, spinners():
        for _ in range(5):
            verdicts = box.judge(programs)
            assert [v for v in verdicts if v.verdict != "passed"] == []
            assert all(v.reason == "" and 0 < v.seconds < 3 for v in verdicts)


@pytest.mark.parametrize("tier", SAFE)
def test_time_spent_waiting_for_a_cpu_is_not_the_programs(tier: str) -> None:
    limit = 1.0
    burn = (
        "import time\n"
        "def add(a, b):\n"
        "    add.calls += 1\n"
        f"    while time.thread_time() < {0.6 * limit / 5} * add.calls: pass\n"
        "    return a + b\n"
        "add.calls = 0\n"
    )
    with start(tier, workers=4, limits=Limits(seconds=limit)) as box, spinners():
        verdicts = box.judge([Program(burn, ADD, "add")] * 4)
    assert [v.verdict for v in verdicts] == ["passed"] * 4, verdicts
    assert all(0.5 * limit < v.seconds < limit for v in verdicts)


def test_a_program_over_its_time_is_stopped_whatever_it_waits_for(box: Sandbox) -> None:
    sleeps = "import time\ndef add(a, b):\n    time.sleep(1000)\n"
    spins = "def add(a, b):\n    while True: pass\n"
    threads = "import threading\ndef add(a, b):\n    e = threading.Event()\n    e.wait()\n"
    began = time.monotonic()
    verdicts = box.judge([Program(source, ADD, "add") for source in (sleeps, spins, threads)])
    assert [v.verdict for v in verdicts] == ["timed_out"] * 3
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("tier", SAFE)
def test_a_process_name_does_not_hide_the_time(tier: str) -> None:
    """/proc/PID/stat holds the name, which a program may set to text that looks like the rest of the line."""
    named = (
        "import ctypes, time\nctypes.CDLL(None).prctl(15, b'x) R y', 0, 0, 0)\ndef add(a, b):\n    time.sleep(1000)\n"
    )
    with start(tier, workers=1, limits=Limits(seconds=0.5)) as box:
        verdict = box.judge([Program(named, ADD, "add")])[0]
    assert (verdict.verdict, verdict.reason) == ("timed_out", "more than 0.5 s")
