"""pass@k as a metric of the `evaluate` library."""

from __future__ import annotations

from pathlib import Path

import pytest


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
