"""Stopping: what signals do to a run, and what the user hears of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STOPPING = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from evalkit.runner.stop import Stop
    kept = Path(sys.argv[1])
    heard = kept.with_name("heard")
    with Stop(rescue=lambda: kept.write_text("rescued"), announce=lambda: heard.write_text("heard")) as stop:
        print("ready", flush=True)
        {body}
        print("requested", stop.requested, "now", stop.now, flush=True)
""")


STUCK = "\n    import hashlib\n    hashlib.pbkdf2_hmac('sha512', b'a', b'b', 2_000_000_000)"
"""One long call into C that lets other threads run but no signal handler: what a forward pass looks like."""


def stopping(body: str, tmp_path: Path) -> subprocess.Popen[str]:
    code = STOPPING.format(body=body)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "kept")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("sent", "now"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_one_signal_asks_and_sigterm_does_not_wait(sent: signal.Signals, now: bool, tmp_path: Path) -> None:
    process = stopping("\n    while not stop.requested: time.sleep(0.01)", tmp_path)
    process.send_signal(sent)
    out, _ = process.communicate(timeout=20)
    assert out == f"requested True now {now}\n"


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    body = "\n    while not stop.requested: time.sleep(0.01)\n    print('once', flush=True)\n"
    process = stopping(body + "    while not stop.now: time.sleep(0.01)", tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "once\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out == "requested True now True\n"


def test_a_main_thread_stuck_in_the_model_is_left_behind_on_sigterm(tmp_path: Path) -> None:
    process = stopping(STUCK, tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 130
    assert (tmp_path / "kept").read_text() == "rescued"


def test_ctrl_c_is_heard_while_the_main_thread_is_stuck_in_the_model(tmp_path: Path) -> None:
    process = stopping(STUCK, tmp_path)
    process.send_signal(signal.SIGINT)
    while not (tmp_path / "heard").exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert process.poll() is None, "one Ctrl-C waits for what is in flight"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert (tmp_path / "kept").read_text() == "rescued"
