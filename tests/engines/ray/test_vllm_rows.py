"""Two replicas of the real vLLM on a real Ray cluster give the rows of a single vLLM on six benchmarks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.vllm_work import needs_vllm

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')
pytestmark = [pytest.mark.vllm, needs_vllm, pytest.mark.timeout(900)]

BENCH = Path(__file__).resolve().parents[3] / "bench" / "fleet_vllm.py"


def test_six_benchmarks_on_two_vllm_replicas_have_a_single_vllms_rows(hub: Path) -> None:
    command = [sys.executable, str(BENCH), "--data-dir", str(hub), "--limit", "3"]
    ran = subprocess.run(command, text=True, capture_output=True, timeout=850)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert ": 21 rows, 0 not equal" in ran.stdout, "gsm8k has a row for each of its two filters"
    assert "all distinct: True, those of the single engine: True" in ran.stdout
    assert "'count': 2" in ran.stdout
    assert "'lost': 0" in ran.stdout
