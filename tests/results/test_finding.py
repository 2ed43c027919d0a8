"""Run references: paths, run-ids, MODEL@latest, @baseline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evalkit.errors import RunFolderError, UnknownRun
from evalkit.results import RunWriter, all_runs, bless, find, slug
from tests.helpers.quizruns import figures, make, manifest, row
from tests.helpers.runfolders import commit


def test_a_run_is_found_by_path_and_by_id(tmp_path: Path) -> None:
    run = make(tmp_path)
    for ref in ("r1", str(run.path), f"{run.path}/", "nano/r1"):
        assert find(ref, tmp_path).path.resolve() == run.path.resolve()


def test_two_runs_of_one_id_are_both_listed(tmp_path: Path) -> None:
    make(tmp_path, model="a")
    make(tmp_path, model="b")
    with pytest.raises(UnknownRun) as caught:
        find("r1", tmp_path)
    assert caught.value.exit_code == 2
    assert "a/r1" in str(caught.value)
    assert "b/r1" in str(caught.value)
    assert find("a/r1", tmp_path).path == tmp_path / "a" / "r1"


def test_an_unknown_run_names_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, "mistral-monday")
    with pytest.raises(UnknownRun, match="mistral-monday"):
        find("mistral-munday", tmp_path)
    with pytest.raises(UnknownRun, match="nano@latest"):
        find("nono@latest", tmp_path)
    with pytest.raises(UnknownRun, match="--output-path"):
        find("r1", tmp_path / "nowhere")


@pytest.mark.parametrize("asked", ["nano", "org/nano"])
def test_latest_is_the_newest_finished_run_of_that_model(tmp_path: Path, asked: str) -> None:
    make(tmp_path, "old", finished="2026-01-01T00:00:00Z")
    make(tmp_path, "new", finished="2026-01-02T00:00:00+00:00")
    make(tmp_path, "interrupted", finished=None, created="2026-01-03T00:00:00Z")
    with RunWriter(tmp_path, "x", "other") as writer:
        newer = manifest(finished="2026-01-04T00:00:00Z")
        commit(writer, {**newer, "model": {"typed": "x", "source": "org/x"}}, {**figures(), "tasks": {}})
    assert find(f"{asked}@latest", tmp_path).run_id == "new"


def test_latest_knows_other_names_of_a_model(tmp_path: Path) -> None:
    make(tmp_path)
    aliases = {"tiny": ["org/nano"]}
    assert find("tiny@latest", tmp_path, lambda name: aliases.get(name, [])).run_id == "r1"


def test_latest_by_path_however_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-finetune").mkdir()
    root = tmp_path / "results"
    monkeypatch.chdir(tmp_path)
    with RunWriter(root, slug("./my-finetune"), "r1") as writer:
        writer.rows("quiz", [row(0)])
        model = {"typed": "./my-finetune", "source": str(tmp_path / "my-finetune")}
        commit(writer, {**manifest(), "model": model}, figures())
    for typed in ("./my-finetune", "my-finetune", "my-finetune/", str(tmp_path / "my-finetune")):
        assert find(f"{typed}@latest", root).run_id == "r1"


def test_the_base_and_its_adapter_are_two_models(tmp_path: Path) -> None:
    make(tmp_path, "base", adapter=None, finished="2026-01-01T00:00:00Z")
    make(tmp_path, "tuned", model="nano+ko", adapter={"name": "ko"}, finished="2026-01-02T00:00:00Z")
    assert find("nano@latest", tmp_path).run_id == "base"
    assert find("nano+ko@latest", tmp_path).run_id == "tuned"


def test_a_broken_newest_run_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    old = make(tmp_path, "old")
    new = make(tmp_path, "new", finished="2026-02-01T00:00:00Z")
    (new.path / "results.json").unlink()
    os.utime(old.path, (1, 1))
    with pytest.raises(RunFolderError, match=r"results\.json"):
        find("nano@latest", tmp_path)
    listed = all_runs(tmp_path)
    assert [run.run_id for run in listed.runs] == ["old"]
    assert "results.json" in listed.warnings[0]


def test_latest_of_runs_that_never_finished_says_so(tmp_path: Path) -> None:
    make(tmp_path, finished=None)
    with pytest.raises(UnknownRun, match="has finished"):
        find("nano@latest", tmp_path)


def test_the_baseline_is_the_run_that_was_blessed(tmp_path: Path) -> None:
    with pytest.raises(UnknownRun, match="--bless"):
        find("@baseline", tmp_path)
    run = make(tmp_path)
    written = json.loads(bless(run, tmp_path).read_text())
    assert (written["schema"], written["run"], written["run_id"]) == (1, "nano/r1", "r1")
    assert find("@baseline", tmp_path).path.resolve() == run.path.resolve()
    run.path.rename(run.path.with_name("elsewhere"))
    assert find("@baseline", tmp_path).run_id == "r1", "a run that was moved is found by its id"
    make(tmp_path, "r2", model="other").path.rename(run.path)
    with pytest.raises(RunFolderError, match="r2"):
        find("@baseline", tmp_path)
