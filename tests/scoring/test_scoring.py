"""Verdicts as figures: pass@k against exact counting, coverage, and the metric of the `evaluate` library."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.scoring.code import MIN_COVERAGE, code_figures, pass_at_k
from evalkit.types import Verdict, VerdictName


def verdict(name: VerdictName) -> Verdict:
    return Verdict(name, "" if name == "passed" else "why", 0.1)


RIGHT, WRONG, SLOW, LOST = map(verdict, ("passed", "failed", "timed_out", "sandbox_error"))


# ── pass@k ───────────────────────────────────────────────────────────────────


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    draws = list(itertools.combinations([True] * correct + [False] * (samples - correct), k))
    assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)


def test_pass_at_k_at_its_edges() -> None:
    assert pass_at_k(5, 0, 3) == 0.0
    assert pass_at_k(5, 5, 3) == 1.0
    assert pass_at_k(2, 1, 3) is None
    exact = 1 - math.comb(190, 100) / math.comb(200, 100)
    assert pass_at_k(200, 10, 100) == pytest.approx(exact, rel=1e-12)
    assert pass_at_k(10**5, 10, 64) == pytest.approx(1 - math.comb(10**5 - 10, 64) / math.comb(10**5, 64), rel=1e-9)
    for wrong in ((3, 4, 1), (3, -1, 1), (3, 1, 0)):
        with pytest.raises(ValueError, match="samples"):
            pass_at_k(*wrong)


# ── figures ──────────────────────────────────────────────────────────────────


def test_figures_are_means_over_problems_with_their_standard_error() -> None:
    figures = code_figures([[RIGHT, WRONG], [WRONG, SLOW], [RIGHT, RIGHT]], ks=(1, 2))
    values = [0.5, 0.0, 1.0]
    one = figures.metrics["pass@1"]
    assert one.value == pytest.approx(fmean(values))
    assert one.stderr == pytest.approx(stdev(values) / math.sqrt(3))
    assert one.ci95 is not None
    assert one.ci95[0] <= one.value <= one.ci95[1]
    assert figures.metrics["pass@2"].value == pytest.approx(2 / 3)
    assert [d["pass@1"] for d in figures.per_document] == values
    assert (figures.judged, figures.sandbox_errors, figures.missing, figures.coverage) == (6, 0, 0, 1.0)


def test_what_was_not_judged_is_not_wrong() -> None:
    many = [[RIGHT]] * 199
    figures = code_figures([*many, [LOST]])
    assert figures.metrics["pass@1"].value == 1.0
    assert figures.coverage == pytest.approx(0.995)
    assert figures.per_document[-1] == {"pass@1": None}
    missing = code_figures([[RIGHT], [None], [WRONG]])
    assert missing.metrics["pass@1"].value == 0.5
    assert (missing.missing, missing.coverage) == (1, 1.0)


def test_below_its_coverage_a_figure_is_null_with_the_reason() -> None:
    figures = code_figures([[RIGHT]] * 90 + [[LOST]] * 10)
    found = figures.metrics["pass@1"]
    assert found.value is None
    assert found.reason is not None
    assert "90 of 100" in found.reason
    assert f"{MIN_COVERAGE:.0%}" in found.reason
    assert code_figures([[RIGHT]] * 90 + [[LOST]] * 10, min_coverage=0.9).metrics["pass@1"].value == 1.0


def test_unknown_is_null_and_never_zero() -> None:
    few = code_figures([[RIGHT], [RIGHT]], ks=(1, 10)).metrics["pass@10"]
    assert few.value is None
    assert few.reason is not None
    assert "10" in few.reason
    nothing = code_figures([])
    assert nothing.metrics["pass@1"].value is None
    assert nothing.coverage is None
    alone = code_figures([[RIGHT]]).metrics["pass@1"]
    assert (alone.value, alone.stderr) == (1.0, None)


# ── the metric ───────────────────────────────────────────────────────────────


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("evaluate", reason="the evaluate library is not installed")
    for name in ("HF_HUB_OFFLINE", "HF_EVALUATE_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")


@pytest.mark.usefixtures("offline")
def test_the_metric_gives_what_code_eval_gives() -> None:
    import evaluate

    from evalkit.scoring.code_eval import CodeEval

    metric = CodeEval()
    assert isinstance(metric, evaluate.Metric)
    add = "def add(a, b): return a + b"
    figures, results = metric.compute(
        predictions=[[add, "def add(a, b): return a * b"], ["def sub(a, b): return a", "while True: pass"]],
        references=["assert add(2, 3) == 5", "def check(f):\n    assert f(3, 1) == 2\ncheck(sub)"],
        k=[1, 2, 10],
        timeout=1.0,
    )
    assert figures == {"pass@1": 0.25, "pass@2": 0.5}
    assert {task: [number for number, _ in samples] for task, samples in results.items()} == {0: [0, 1], 1: [0, 1]}
    first, second = results[0][0][1], results[0][1][1]
    assert (first["task_id"], first["completion_id"], first["passed"], first["result"]) == (0, 0, True, "passed")
    assert second["passed"] is False
    assert second["result"].startswith("failed: assertion")
    assert results[1][0][1]["result"].startswith("failed")
    assert results[1][1][1]["result"] == "timed out"


@pytest.mark.usefixtures("offline")
@pytest.mark.hub
def test_the_metric_passes_every_canonical_solution(hub: Path) -> None:
    import pyarrow.parquet

    from evalkit.scoring.code_eval import CodeEval

    files = sorted((hub / "openai" / "openai_humaneval").rglob("*.parquet"))
    if not files:
        pytest.skip(f"no openai/openai_humaneval under {hub}")
    rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    figures, results = CodeEval().compute(
        predictions=[[row["prompt"] + row["canonical_solution"], row["prompt"] + "    pass\n"] for row in rows],
        references=[f"{row['test']}\ncheck({row['entry_point']})" for row in rows],
        k=[1, 2],
    )
    wrong = [row["task_id"] for task, row in enumerate(rows) if not results[task][0][1]["passed"]]
    assert wrong == []
    assert figures["pass@2"] == 1.0
    assert 0.5 <= figures["pass@1"] < 0.52
