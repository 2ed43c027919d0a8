"""Intervals of figures and of means over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.ranking import Line, Score
from evalkit.ranking.means import mean_of, normalised_mean_of
from evalkit.results import Run
from tests.helpers.boards import board, rows, write


def state(run: Run, task: str, **entry: Any) -> None:
    """Write other entries for a task's figures."""
    content = json.loads((run.path / "results.json").read_text())
    found = content["tasks"][task]
    [metric] = [name for name in found["metrics"] if name != "other,none"]
    found["metrics"][metric] |= entry.pop("figure", {})
    found |= entry
    (run.path / "results.json").write_text(json.dumps(content))


def test_the_mean_of_one_task_has_the_tasks_own_interval(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"endings": 1.0}, stderr=0.0)
    state(run, "endings", n=200, figure={"ci95": [0.981, 1.0]})
    [line] = board(tmp_path).lines
    assert line.mean.ci95 == pytest.approx((0.981, 1.0))
    [row] = rows(board(tmp_path))
    assert (float(row["mean_low"]), float(row["mean_high"])) == pytest.approx((0.981, 1.0))
    assert float(row["normalised_mean_high"]) == pytest.approx(1.0)


def test_an_interval_that_leaves_the_scale_does_not_take_the_mean_with_it(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"one": 0.999, "two": 0.998})
    state(run, "one", figure={"ci95": [0.98, 1.018]})
    [line] = board(tmp_path).lines
    assert line.mean.ci95 is not None
    assert line.mean.ci95[1] <= 1.0


def a_score(value: float, low: float, high: float) -> Score:
    return Score(value, 0.01, (value - low * value, value + high * (1 - value)))


@given(
    st.lists(st.builds(a_score, *[st.floats(min_value=0, max_value=1) for _ in range(3)]), min_size=1, max_size=8),
    st.floats(min_value=0, max_value=0.9),
)
def test_no_mean_leaves_the_scale(scores: list[Score], chance: float) -> None:
    names = [str(place) for place in range(len(scores))]
    line = Line(None, None, None, None, None, dict(zip(names, scores, strict=True)), {}, {})  # type: ignore[arg-type]
    for mean, least in (
        (mean_of(line, names), 0.0),
        (normalised_mean_of(line, names, dict.fromkeys(names, chance)), -chance / (1 - chance)),
    ):
        assert mean.ci95 is not None
        assert mean.value is not None
        assert least - 1e-9 <= mean.ci95[0] <= mean.value + 1e-9
        assert mean.value - 1e-9 <= mean.ci95[1] <= 1 + 1e-9


def test_a_share_whose_run_gives_no_interval_has_one_within_the_scale(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"mmlu": 0.995}, stderr=0.004)
    state(run, "mmlu", n=14042, figure={"ci95": None})
    [line] = board(tmp_path).lines
    ends = line.scores["mmlu"].ci95
    assert ends is not None
    assert 0.97 < ends[0] < 0.995 < ends[1] < 1.0


def test_a_rouge_of_0_has_no_interval_of_a_share(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"truthfulqa_gen": 0.0}, stderr=0.0, metric="rouge2_max,none")
    state(run, "truthfulqa_gen", n=5, figure={"ci95": None})
    assert board(tmp_path).lines[0].scores["truthfulqa_gen"].ci95 is None


def test_all_wrong_has_wilsons_interval(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"gsm8k": 0.0}, stderr=0.0, metric="exact_match,strict-match")
    state(run, "gsm8k", n=5, figure={"ci95": None})
    assert board(tmp_path).lines[0].scores["gsm8k"].ci95 == pytest.approx((0.0, 0.4345), abs=1e-3)
