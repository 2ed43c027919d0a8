"""What the tests of interrupted runs share: one command, and when two runs are the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evalkit.results import Run, all_runs
from tests.helpers import warm
from tests.helpers.runfolders import results_of

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}


def asked(model: Path, out: Path, engine: str = "hf", limit: int = 100) -> list[str]:
    words = f"run --model {model} --tasks mini_knowledge,mini_endings,mini_arithmetic --engine {engine} --quiet"
    words += f" --limit {limit} --gen-kwargs max_gen_toks=48 --model-args dtype=float32 --output-path {out}"
    return words.split()


def evalkit(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return warm.run(*argv, env=ENV, cwd=ROOT)


def only_run(out: Path) -> Run:
    (run,) = all_runs(out).runs
    return run


def same(one: Run, other: Run) -> None:
    """Texts, verdicts and figures equal; log-probabilities to 1e-4, as batches differ."""
    assert one.status == other.status
    for task, entry in results_of(one)["tasks"].items():
        for metric, figure in entry["metrics"].items():
            assert figure["value"] == pytest.approx(results_of(other)["tasks"][task]["metrics"][metric]["value"])
        rows, others = list(one.rows(task)), list(other.rows(task))
        assert len(rows) == len(others)
        for row, counterpart in zip(rows, others, strict=True):
            for key in ("doc_id", "filter", "doc_hash", "prompt_hash", "arguments", "finish", *row["metrics"]):
                assert row[key] == counterpart[key], (task, key)
            for mine, theirs in zip(flat(row["resps"]), flat(counterpart["resps"]), strict=True):
                assert mine == (pytest.approx(theirs, abs=1e-4) if isinstance(theirs, float) else theirs)


def flat(value: Any) -> list[Any]:
    return [inner for part in value for inner in flat(part)] if isinstance(value, list) else [value]
