"""Runs read in Python: figures, comparisons, verdicts, leaderboards and reports."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import ConfigError, EvalkitError, UnknownRun, UnknownTask, UsageError
from tests.helpers.runfolders import TaskRows, write_run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    good = [1.0] * 150 + [0.0] * 50
    rows = [{"doc_id": number, "doc": {"question": f"<b>{number}</b>"}, "filter": "none"} for number in range(3)]
    write_run(tmp_path, "base", {"gsm8k": TaskRows(good)}, model="m", samples={"gsm8k": rows})
    write_run(tmp_path, "same", {"gsm8k": TaskRows(good)}, model="n")
    write_run(tmp_path, "worse", {"gsm8k": TaskRows([0.0] * 150 + [0.0] * 50)}, model="o")
    return tmp_path


def test_a_run_gives_its_figures_scores_and_rows(root: Path) -> None:
    run = ek.load("base", output_path=root)
    assert (run.run_id, run.model, run.status, run.requested) == ("base", "m", "complete", ["gsm8k"])
    figures = run.figures()
    assert {"task", "metric", "value", "stderr", "low", "high", "n"} <= set(figures.columns)
    assert figures.loc[0, "task"] == "gsm8k"
    assert figures.loc[0, "value"] == 0.75
    assert len(run.scores()) == 200
    assert list(run.samples("gsm8k")["doc_id"]) == [0, 1, 2]
    with pytest.raises(UnknownTask, match="did you mean gsm8k"):
        run.samples("gsm8")


def test_a_reference_is_a_run_id_a_path_a_run_or_the_latest_of_a_model(root: Path) -> None:
    run = ek.load("base", root)
    assert ek.load(root / "m" / "base").path == run.path
    assert ek.load("m@latest", output_path=str(root)).run_id == "base"
    assert ek.load(run) is run
    with pytest.raises(UnknownRun, match="base"):
        ek.load("basse", root)
    with pytest.raises(UsageError, match="int"):
        ek.load(3, root)  # type: ignore[arg-type]


def test_runs_are_compared(root: Path) -> None:
    base, worse = ek.load("base", root), ek.load("worse", root)
    compared = ek.compare(base, worse)
    row = compared.frame().iloc[0]
    assert (row["task"], row["baseline"], row["candidate"], row["lost"]) == ("gsm8k", 0.75, 0.0, 150)
    assert compared.markdown()
    with pytest.raises(UsageError, match="two runs"):
        ek.compare(base)


@pytest.mark.parametrize(("candidate", "verdict", "code"), [("same", "pass", 0), ("worse", "regression", 1)])
def test_a_gate_says_its_verdict(root: Path, candidate: str, verdict: str, code: int) -> None:
    found = ek.gate("base", candidate, policy={"tasks": {"gsm8k": {"max_drop": 0.1}}}, output_path=root)
    assert (found.verdict, found.exit_code, found.passed) == (verdict, code, not code)
    assert [task.name for task in found.tasks] == ["gsm8k"]
    assert list(found.frame()["verdict"]) == [verdict]
    assert found.markdown().startswith("## ")


def test_a_policy_is_a_file_a_mapping_or_a_policy(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text("tasks: {gsm8k: {max_drop: 0.1}}\n")
    for policy in (file, str(file), {"tasks": {"gsm8k": {"max_drop": 0.1}}}, ek.Policy.load(file)):
        found = ek.gate("base", "same", policy=policy, output_path=root)
        assert found.tasks[0].max_drop.value == 0.1
    with pytest.raises(ConfigError, match="did you mean max_drop"):
        ek.gate("base", "same", policy={"tasks": {"gsm8k": {"max_drp": 0.1}}}, output_path=root)
    with pytest.raises(UsageError, match="--policy"):
        ek.gate("base", "same", policy=3, output_path=root)  # type: ignore[call-overload]


def test_a_run_is_made_the_baseline(root: Path) -> None:
    assert ek.gate(bless="base", output_path=root).run_id == "base"
    assert ek.load("@baseline", root).run_id == "base"
    assert ek.gate("worse", output_path=root).verdict == "regression"
    with pytest.raises(UsageError, match="stands alone"):
        ek.gate("base", bless="base", output_path=root)  # type: ignore[call-overload]


def test_runs_are_ranked_and_written(root: Path, tmp_path: Path) -> None:
    runs = [ek.load(name, root) for name in ("base", "worse")]
    board = ek.leaderboard(runs, json=tmp_path / "board.json")
    assert list(board.frame()["model"]) == ["m", "o"]
    assert list(board.frame()["gsm8k"]) == [0.75, 0.0]
    assert json.loads((tmp_path / "board.json").read_text())
    assert len(ek.leaderboard(output_path=root).frame()) == 3
    with pytest.raises(UsageError, match="did you mean limited"):
        ek.leaderboard(output_path=root, include="limted")
    with pytest.raises(UnknownRun, match="no folder"):
        ek.leaderboard(output_path=root / "none")


def test_a_report_is_a_page(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    made = ek.report(["base", "worse"], output_path=root, html=page)
    assert page.read_text().startswith("<!doctype html>") or "<html" in page.read_text()
    assert "gsm8k" in made.markdown()


def test_objects_show_themselves_and_escape_what_comes_from_outside(root: Path) -> None:
    write_run(root, "odd", {"<script>": TaskRows([1.0, 0.0] * 20)}, model="p")
    shown: list[Any] = [
        ek.load("odd", root),
        ek.compare("odd", "odd", output_path=root),
        ek.gate("odd", "odd", output_path=root),
        ek.leaderboard("odd", output_path=root),
        ek.report("odd", output_path=root),
    ]
    for thing in shown:
        assert "<script>" not in thing._repr_html_()
        assert "<table" in thing._repr_html_()
        assert "&lt;script&gt;" in thing._repr_html_()
        assert "<script>" in repr(thing) or "script" in repr(thing)


def test_nothing_goes_to_stdout(root: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs = ["base", "worse"]
    ek.compare(*runs, output_path=root)
    ek.gate(*runs, output_path=root)
    ek.leaderboard(runs, output_path=root)
    ek.report(runs, output_path=root, html=tmp_path / "r.html")
    assert capfd.readouterr() == ("", "")


def test_functions_work_in_a_thread(root: Path) -> None:
    found: list[str] = []

    def work() -> None:
        found.append(ek.gate("base", "same", policy={"tasks": {"gsm8k": {"max_drop": 0.1}}}, output_path=root).verdict)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == ["pass"]


def test_errors_are_evalkits_own(root: Path) -> None:
    for wrong in (
        lambda: ek.load("nothing", root),
        lambda: ek.compare("base", "nothing", output_path=root),
        lambda: ek.gate("base", "same", allow="everything", output_path=root),
        lambda: ek.leaderboard(["nothing"], output_path=root),
        lambda: ek.report([], output_path=root),
    ):
        with pytest.raises(EvalkitError):
            wrong()
