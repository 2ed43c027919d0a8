"""Servers that die, harnesses that die, and what is left of them: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalkit.errors import SandboxError
from evalkit.sandbox import Limits, Sandbox
from evalkit.types import Program
from tests.helpers.sandboxes import ADD, ROOT, SAFE, in_session, one, tiers_here


@pytest.mark.parametrize("tier", [*SAFE, "unsafe-none"])
def test_nothing_outlives_a_killed_harness(tier: str) -> None:
    if tier != "unsafe-none" and tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    harness = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from evalkit.sandbox import Sandbox\nfrom evalkit.types import Program\n"
        "box = Sandbox.start(sys.argv[2], workers=2)\n"
        "spin = 'import threading as t, time\\nt.Thread(target=time.sleep, args=(600,)).start()\\nwhile True: pass'\n"
        "sleep = 'import time\\ntime.sleep(600)'\n"
        "for n, source in enumerate([spin, sleep] * 4): box.submit(Program(source, 'assert 1'), n)\n"
        "time.sleep(0.5)\nprint(box.server_pid, flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", harness, str(ROOT), tier], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    server = int(process.stdout.readline())
    assert len(in_session(server)) >= 5
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 2
    while in_session(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert in_session(server) == []


@pytest.mark.parametrize("which", ["server", "worker"])
def test_a_dead_server_is_noticed_and_its_programs_are_judged_again(which: str) -> None:
    with Sandbox.start(workers=2) as box:
        server = box.server_pid
        slow = "import time\ndef add(a, b):\n    time.sleep(0.05)\n    return a + b\n"
        for n in range(20):
            box.submit(Program(slow if n % 2 else slow.replace("a + b", "a"), ADD, "add"), n)
        time.sleep(0.1)
        victim = server if which == "server" else min(pid for pid in in_session(server) if pid != server)
        os.kill(victim, signal.SIGKILL)
        verdicts = dict(box.completed())
        assert box.describe()["server_restarts"] == 1
        assert in_session(server) == []
        assert box.server_pid != server
    assert [verdicts[n].verdict for n in range(20)] == ["failed", "passed"] * 10


def test_nothing_grows_and_close_leaves_nothing() -> None:
    def resident(pid: int) -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    big = Program("def f(): return 'x' * 10**6, print('y' * 10**6)", "assert len(f()[0]) == 10**6")
    crash = Program("import os; os._exit(0)", "assert f()")
    loud = Program("def f(): raise ValueError('z' * 10**6)", "f()")
    with Sandbox.start(workers=2) as box:
        box.judge([big, crash, loud] * 40)
        files, memory = len(list(Path("/proc/self/fd").iterdir())), resident(os.getpid())
        theirs = max(map(resident, in_session(box.server_pid)))
        verdicts = box.judge([big, crash, loud] * 100)
        assert {v.verdict for v in verdicts} == {"passed", "failed"}
        assert len(list(Path("/proc/self/fd").iterdir())) <= files + 2
        assert resident(os.getpid()) < memory + (16 << 20)
        assert len(in_session(box.server_pid)) <= 1 + 2 * 3
        assert max(map(resident, in_session(box.server_pid))) < theirs + (16 << 20)
        server = box.server_pid
    assert in_session(server) == []


@pytest.mark.parametrize("tier", [*SAFE, "unsafe-none"])
def test_close_waits_for_programs_that_it_ends(tier: str) -> None:
    if tier != "unsafe-none" and tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    endless = Program("def f():\n    while True: pass\n", "f()", "f")
    # Without protection a program has a session of its own, and its tester stands for it here.
    each = 2 if tier == "unsafe-none" else 3
    for _ in range(5):
        box = Sandbox.start(tier, workers=3, limits=Limits(seconds=60))
        for n in range(6):
            box.submit(endless, n)
        while len(in_session(box.server_pid)) < 1 + 3 * each:
            time.sleep(0.01)
        box.close()
        assert in_session(box.server_pid) == []


def test_close_does_not_wait_for_a_process_that_was_forked_meanwhile() -> None:
    box = Sandbox.start(workers=1)
    pid = os.fork()  # holds every end that the harness holds
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    box.close()
    assert in_session(box.server_pid) == []
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "close waited for it"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_verdicts_come_while_something_else_goes_on() -> None:
    slow = Program("import time\ndef add(a, b):\n    time.sleep(0.3)\n    return a + b\n", ADD, "add")
    quick = Program("def add(a, b): return a + b\n", ADD, "add")
    with Sandbox.start(workers=2, limits=Limits(seconds=5)) as box:
        box.submit(slow, "slow")
        assert list(box.completed(wait=False)) == []
        assert box.pending == 1
        for n in range(10):
            box.submit(quick, n)
        first, verdict = next(box.completed())
        assert first != "slow"
        assert verdict.verdict == "passed"
        rest = dict(box.completed())
        assert set(rest) | {first} == {"slow", *range(10)}
        assert box.pending == 0
        assert list(box.completed()) == []
    with pytest.raises(SandboxError, match="closed"):
        box.submit(quick, 0)


def test_the_harness_itself_never_forks_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox.start(workers=1) as box:
        monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
        monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("spawned"))
        assert one(box, "def add(a, b): return a + b", ADD, "add").verdict == "passed"


@pytest.mark.parametrize("tier", SAFE)
def test_close_waits_for_what_a_killed_server_leaves(tier: str) -> None:
    if tier not in tiers_here():
        pytest.skip(f"the tier {tier} does not work on this machine")
    endless = Program("def f():\n    while True: pass\n", "f()", "f")
    for _ in range(5):
        box = Sandbox.start(tier, workers=2, limits=Limits(seconds=60))
        for n in range(4):
            box.submit(endless, n)
        server = box.server_pid
        while len(in_session(server)) < 1 + 2 * 3:
            time.sleep(0.01)
        os.kill(server, signal.SIGKILL)
        box.close()
        assert in_session(server) == []
