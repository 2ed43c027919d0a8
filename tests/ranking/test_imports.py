"""Runs of other tools that were asked for by name: each has its line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.ranking import leaderboard
from evalkit.results import find_foreign
from tests.helpers.boards import write

SWEEPS = Path(__file__).resolve().parents[3] / "shared" / "sweeps" / "pythia-160m"


def verb(*argv: object) -> object:
    with pytest.raises(SystemExit) as stopped:
        main(["leaderboard", *map(str, argv)])
    return stopped.value.code or 0


def lm_eval_results(folder: Path, step: int, value: float) -> Path:
    folder.mkdir(parents=True)
    content = {
        "results": {"mmlu": {"acc,none": value, "acc_stderr,none": 0.01}},
        "configs": {"mmlu": {}},
        "versions": {"mmlu": 1.0},
        "n-shot": {"mmlu": 5},
        "config": {"model": "hf", "model_args": f"pretrained=org/m,revision=step{step}", "limit": None},
        "date": 1_700_000_000 + step,
        "model_name": "org/m",
    }
    path = folder / f"results_2023-11-14T22-13-{step:02d}.000000.json"
    path.write_text(json.dumps(content))
    return path


def test_an_import_stands_beside_a_newer_run_of_the_same_model(tmp_path: Path) -> None:
    write(tmp_path / "runs", "org/m", {"mmlu": 0.5}, source="org/m")
    theirs = lm_eval_results(tmp_path / "theirs", 1, 0.4)
    out = tmp_path / "board.json"
    assert verb("--output-path", tmp_path / "runs", "--import", theirs, "--json", out) == 0
    made = json.loads(out.read_text())
    assert [row["mean"]["value"] for row in made["rows"]] == [0.5, 0.4]
    assert not any("older" in note for note in made["notes"])


def test_checkpoints_of_one_model_have_a_line_each_and_say_which_is_which(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        lm_eval_results(tmp_path / "sweep" / f"step{step}", step, 0.1 * step)
    foreign, _ = find_foreign(tmp_path / "sweep")
    made = leaderboard([], named=foreign)
    assert [line.name for line in made.lines] == ["org/m (step3)", "org/m (step2)", "org/m (step1)"]


def test_lines_that_share_a_revision_are_told_apart_by_their_run(tmp_path: Path) -> None:
    write(tmp_path, "m", {"mmlu": 0.5}, run_id="first")
    write(tmp_path, "m", {"mmlu": 0.6}, run_id="second")
    assert verb("--output-path", tmp_path, "--all", "--csv", tmp_path / "b.csv") == 0
    with (tmp_path / "b.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["run_id"] for row in csv.DictReader(file)} == {"first", "second"}


@pytest.mark.skipif(not SWEEPS.is_dir(), reason="../shared/sweeps holds the checkpoints of a training run")
def test_each_checkpoint_of_a_real_sweep_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    out = tmp_path / "b.csv"
    assert verb("--output-path", tmp_path / "runs", "--import", SWEEPS, "--csv", out) == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(list(SWEEPS.iterdir()))
    assert len({row["revision"] for row in found}) == len(found)
