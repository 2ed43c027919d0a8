"""evalkit curve: which runs make a curve, what it says, and what scripts outside rely on."""

from __future__ import annotations

import csv
import io
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evalkit as ek
from evalkit.errors import NotComparable, UnknownTask, UsageError
from evalkit.reporting.curve_view import sparkline
from tests.helpers.judged import ROOT, evalkit
from tests.helpers.runfolders import TaskRows, write_run

SWEEP = ROOT.parent / "shared" / "sweeps" / "pythia-160m"
KEYS = {"metric", "points", "best", "last", "declined", "reason"}


def figures(step: int, **metrics: float | None) -> dict[str, Any]:
    """A results file of lm-eval without rows: `acc=0.5`, and a standard error of 0.01 for each."""
    entry: dict[str, Any] = {"alias": "quiz"}
    for name, value in metrics.items():
        entry |= {f"{name},none": "N/A" if value is None else value, f"{name}_stderr,none": 0.01}
    return {
        "results": {"quiz": entry},
        "configs": {"quiz": {"task": "quiz"}},
        "versions": {"quiz": 1},
        "higher_is_better": {"quiz": {name: name != "perplexity" for name in metrics}},
        "config": {"model": "hf", "model_args": f"pretrained=org/m,revision=step{step}"},
        "model_name": "org/m",
        "date": 1.7e9 + step,
    }


def write_figures(folder: Path, content: Any, day: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results_2025-01-{day:02}T00-00-00.000000.json"
    path.write_text(json.dumps(content))
    return path


def rows(root: Path, step: int, values: np.ndarray, **kwargs: Any) -> Path:
    model = {"typed": "m", "revision": f"step{step}"}
    return write_run(root, f"s{step}", {"quiz": TaskRows(values, **kwargs)}, manifest={"model": model})


def test_the_published_figures_of_pythia(tmp_path: Path) -> None:
    if not SWEEP.is_dir():
        pytest.skip(f"no published figures: {SWEEP} is not a folder")
    out = tmp_path / "curve.json"
    done = evalkit("curve", "--import", str(SWEEP), "--x", "step", "--json", str(out))
    tasks = json.loads(out.read_text())["tasks"]
    assert len(tasks) == 87
    assert all(set(task) == KEYS and len(task["points"]) == 14 for task in tasks.values())
    lambada = tasks["lambada_openai"]
    assert lambada["metric"] == "acc,none"
    assert [point["x"] for point in lambada["points"]][:7] == [0, 2, 8, 32, 128, 512, 3000]
    assert lambada["best"] == {"x": 63000, "value": pytest.approx(0.3992, abs=1e-4)}
    assert lambada["last"] == {"x": 143000, "value": pytest.approx(0.3284, abs=1e-4)}
    assert lambada["declined"] is True
    assert "unpaired and conservative" in lambada["reason"]
    assert lambada["points"][0]["low"] == 0 < lambada["points"][0]["high"] < 0.01
    assert "DECLINED, from 123,000 on" in " ".join(done.stdout.split())
    ppl = ek.curve(import_=SWEEP, tasks="lambada_openai", metric="ppl").result.tasks[0]
    assert ppl.best is not None
    assert ppl.best.value == min(point.value for point in ppl.points if point.value is not None)


def test_rows_are_paired_on_documents(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    chance = rng.beta(1, 1, 600)
    luck = rng.random(600)
    start, best, end = ((luck < np.clip(chance + gain, 0, 1)).astype(float) for gain in (0.0, 0.08, 0.03))
    refs = [rows(tmp_path, 100 * k, values) for k, values in enumerate((start, best, best, end))]
    task = ek.curve(refs, output_path=tmp_path).result.tasks[0]
    assert task.documents == 600
    assert (task.best and task.best.x, task.last.x) == (100, 300)  # of equal points the first
    assert task.declined is True
    assert "paired on 600 documents" in task.reason
    assert task.declined_from == 300
    assert [point.against for point in task.points] == [None, "better", "better", "better"]
    assert task.worse_from is None
    # The bands of the best and the last overlap: without pairs nothing would be seen.
    assert task.points[1].low is not None
    assert task.points[3].high is not None
    assert task.points[1].low < task.points[3].high
    lower = [rows(tmp_path / "lower", k, 1 - v, higher_is_better=False) for k, v in enumerate((start, best, end))]
    turned = ek.curve(lower, output_path=tmp_path).result.tasks[0]
    assert (turned.best and turned.best.x, turned.declined) == (1, True)
    assert all(point.low <= point.value <= point.high for point in turned.points)  # type: ignore[operator]


def test_forgetting_is_held_against_a_baseline(tmp_path: Path) -> None:
    base = np.array([1.0] * 300 + [0.0] * 100)
    worse = np.array([1.0] * 200 + [0.0] * 200)
    run = write_run(tmp_path, "base", {"quiz": TaskRows(base)})
    refs = [rows(tmp_path, step, values) for step, values in ((10, base), (20, worse), (30, worse))]
    drawn = ek.curve(refs, baseline=run, output_path=tmp_path)
    task = drawn.result.tasks[0]
    assert (task.baseline, task.worse_from, task.declined_from, task.enough) == (0.75, 20, 20, 10)
    assert "surely worse than the baseline: quiz from 20" in drawn.markdown()
    assert list(drawn.frame()["against"])[1:] == ["worse", "worse"]


def test_forgotten_documents_and_since_when(tmp_path: Path) -> None:
    """The first is lost at 20 and for good, the second comes back once, the third is lost and found."""
    nan = float("nan")
    columns = [[1, 0, 0, nan, 0], [1, 0, 1, 0, 0], [1, 1, 0, 1, 1]]
    table = np.ones((40, 5))
    table[:3] = columns
    refs = [rows(tmp_path, 10 * (k + 1), table[:, k]) for k in range(5)]
    found = ek.curve(refs, output_path=tmp_path).result.tasks[0].forgotten
    assert [(one.doc_id, one.since, one.before, one.after) for one in found] == [(0, 20, 1.0, 0.0), (1, 40, 1.0, 0.0)]
    flipped = [rows(tmp_path / "low", k, 1 - table[:, k], higher_is_better=False) for k in range(5)]
    turned = ek.curve(flipped, output_path=tmp_path).result.tasks[0].forgotten
    assert [(one.doc_id, one.before, one.after) for one in turned] == [(0, 0.0, 1.0), (1, 0.0, 1.0)]


def test_enough_is_the_first_point_within_tolerance(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    base = (rng.random(2000) < 0.5).astype(float)
    better, best = base.copy(), base.copy()
    better[:300] = best[:316] = 1.0
    refs = [rows(tmp_path, step, values) for step, values in ((1, base), (2, better), (3, best))]
    assert ek.curve(refs, output_path=tmp_path).result.tasks[0].enough == 2
    assert ek.curve(refs, output_path=tmp_path, tolerance="50%").result.tasks[0].enough == 1
    assert ek.curve(refs, output_path=tmp_path, tolerance=0).result.tasks[0].enough == 3


def test_lower_is_better_without_rows(tmp_path: Path) -> None:
    for step, value in ((1, 20.0), (2, 10.0), (3, 12.0)):
        write_figures(tmp_path / f"checkpoint-{step}" / "org__m", figures(step, perplexity=value))
    out = evalkit("curve", "--import", str(tmp_path), "--json", "-").stdout
    task = json.loads(out)["tasks"]["quiz"]
    assert (task["metric"], task["best"]["x"], task["declined"]) == ("perplexity,none", 2, True)
    assert [type(point["x"]) for point in task["points"]] == [int] * 3


def test_the_metric_is_the_headline_else_acc_else_the_first(tmp_path: Path) -> None:
    for step in (1, 2):
        content = figures(step, f1=0.2, acc=0.5, acc_norm=0.6)
        write_figures(tmp_path / str(step), content)
    assert ek.curve(import_=tmp_path).result.tasks[0].metric == "acc,none"
    assert ek.curve(import_=tmp_path, metric="f1").result.tasks[0].metric == "f1,none"
    for step in (1, 2):
        content = json.loads(json.dumps(figures(step, acc=0.5, acc_norm=0.6)).replace("quiz", "hellaswag"))
        write_figures(tmp_path / "h" / str(step), content)
    assert ek.curve(import_=tmp_path / "h").result.tasks[0].metric == "acc_norm,none"


def test_what_is_not_known_is_null_with_a_reason(tmp_path: Path) -> None:
    for step, value in ((1, 0.5), (2, 0.6), (3, None)):
        write_figures(tmp_path / str(step), figures(step, acc=value))
    task = json.loads(ek.curve(import_=tmp_path).json())["tasks"]["quiz"]
    assert task["points"][2] == {"x": 3, "value": None, "stderr": None, "low": None, "high": None}
    assert (task["best"]["x"], task["last"], task["declined"]) == (2, {"x": 3, "value": None}, None)
    assert "N/A" in task["reason"]
    for step, value in ((1, 0.5), (2, 0.7), (3, 0.6)):
        content = figures(step, acc=value)
        del content["results"]["quiz"]["acc_stderr,none"]
        write_figures(tmp_path / "bare" / str(step), content)
    task = json.loads(ek.curve(import_=tmp_path / "bare").json())["tasks"]["quiz"]
    assert task["declined"] is None
    assert "standard error is not known" in task["reason"]


def test_two_runs_at_one_place_and_runs_without_any(tmp_path: Path) -> None:
    write_figures(tmp_path / "a", figures(1, acc=0.5))
    write_figures(tmp_path / "b", figures(2, acc=0.5))
    newer = figures(2, acc=0.6) | {"date": 1.8e9}
    write_figures(tmp_path / "c", newer)
    nowhere = figures(0, acc=0.9)
    nowhere["config"]["model_args"] = "pretrained=org/m"
    write_figures(tmp_path / "d", nowhere)
    drawn = ek.curve(import_=tmp_path)
    assert [point.value for point in drawn.result.tasks[0].points] == [0.5, 0.6]
    assert any("two runs at step 2" in note for note in drawn.notes)
    assert any("do not say its step" in note for note in drawn.notes)


def test_too_few_points_are_a_clear_error(tmp_path: Path) -> None:
    write_figures(tmp_path / "a", figures(1, acc=0.5))
    with pytest.raises(NotComparable, match="needs two points or more: of 1 runs 1 has"):
        ek.curve(import_=tmp_path)
    with pytest.raises(UsageError, match="no run is named"):
        ek.curve()
    write_figures(tmp_path / "b", figures(2, acc=0.5))
    with pytest.raises(UnknownTask, match="did you mean quiz"):
        ek.curve(import_=tmp_path, tasks="quizz")


def test_odd_folders_are_named_and_left_out(tmp_path: Path) -> None:
    for step in (1, 2):
        write_figures(tmp_path / str(step), figures(step, acc=0.5))
    odd = tmp_path / "odd"
    for day, content in enumerate(
        ({}, [], {"results": [], "configs": {}}, {"results": {"\x1b[2J": {}}, "configs": {}})
    ):
        write_figures(odd, content, day + 1)
    (odd / "results_2025-01-20T00-00-00.000000.json").write_text("{" * 100_000)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    done = evalkit("curve", "--import", str(tmp_path))
    assert "quiz" in done.stdout
    assert done.stdout.count("left out:") >= 5
    assert "\x1b" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (tmp_path / "none").mkdir()
    assert "holds no run" in evalkit("curve", "--import", str(tmp_path / "none"), code=2).stderr


def test_other_prompts_are_refused_unless_they_are_meant(tmp_path: Path) -> None:
    values = np.array([1.0, 0.0] * 50)
    refs = [rows(tmp_path, 1, values), rows(tmp_path, 2, values, settings={"num_fewshot": 0}, prompts="q")]
    with pytest.raises(NotComparable, match="--allow shots"):
        ek.curve(refs, output_path=tmp_path)
    assert ek.curve(refs, output_path=tmp_path, allow="shots").result.tasks[0].documents == 100


def test_tables_for_people_and_spreadsheets(tmp_path: Path) -> None:
    for step, value in ((1, 0.5), (2, 0.7), (3, 0.4)):
        content = json.loads(json.dumps(figures(step, acc=value)).replace("quiz", "=퀴즈|()"))
        write_figures(tmp_path / str(step), content)
    drawn = ek.curve(import_=tmp_path)
    table = list(csv.DictReader(io.StringIO(drawn.csv())))
    assert [row["step"] for row in table] == ["1", "2", "3"]
    assert table[0]["task"] == "'=퀴즈|()"
    assert "=퀴즈\\|()" in drawn.markdown()
    assert list(drawn.findings()["best_x"]) == [2]
    assert "퀴즈" in repr(drawn)
    assert sparkline([0.0, None, 1.0]) == "▁·█"
    assert sparkline([1.0, 1000.0, 1_000_000.0]) == "▁▅█"
    assert sparkline([0.5, 0.5]) == "▄▄"


def test_simulated_curves_err_as_seldom_as_they_say() -> None:
    simulate = runpy.run_path(str(ROOT / "bench" / "curve.py"), run_name="bench_curve")["simulate"]
    for evidence in ("paired", "unpaired"):
        outcome = simulate(evidence, 80, 10, 300, draws=1_000, seed=3)
        assert outcome.called_a_change <= 0.05
        assert outcome.best_covered >= 0.95
        assert outcome.naive_covered < 0.9
