"""Killed twenty times, a run ends as if nothing had happened."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.results import Run
from tests.helpers.resuming import ENV, ROOT, asked, only_run, same


def killed(kills: int, argv: list[str], tmp_path: Path, longest: float) -> list[dict[str, Any]]:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.helpers.killing", "--kills", str(kills), "--longest", str(longest)]
    subprocess.run([*command, "--out", str(report), "--", *argv], env=ENV, cwd=ROOT, timeout=1500, check=True)
    attempts: list[dict[str, Any]] = json.loads(report.read_text())
    return attempts


def check(attempts: list[dict[str, Any]], kills: int) -> None:
    exits = [attempt["exit"] for attempt in attempts]
    assert exits.count(-signal.SIGKILL) == kills
    assert set(exits) <= {-signal.SIGKILL, 0}
    assert exits[-1] == 0
    assert [attempt["left"] for attempt in attempts] == [[]] * len(attempts), "a process outlived the run by 2 s"
    after_a_kill = [later for earlier, later in itertools.pairwise(attempts) if earlier["exit"] != 0]
    assert all(attempt["kept_before"] > 0 for attempt in after_a_kill)
    assert sum(attempt["sent_again"] for attempt in attempts) == 0, "a kept answer was asked for again"
    assert sum(attempt["changed"] for attempt in attempts) == 0, "a kept answer changed"


@pytest.mark.timeout(1800)
def test_twenty_kills_change_nothing(tiny_model: Path, uninterrupted: Run, tmp_path: Path) -> None:
    out = tmp_path / "results"
    check(killed(20, asked(tiny_model, out), tmp_path, longest=0.3), kills=20)
    same(only_run(out), uninterrupted)
