"""`--tasks qa.csv` from the command line, without a page of docs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.config import split_tasks
from evalkit.registry.kinds import spell_out


def evalkit(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(args))
    return done.exit_code, done.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qa.csv").write_text("question,answer\nCapital of Korea?,Seoul\nCapital of France?,Paris\n")
    return tmp_path


def test_a_file_of_two_columns_is_scored(here: Path) -> None:
    rows = [{"task": "qa.csv", "doc_id": n, "output": text} for n, text in enumerate(["It is Seoul.", "Rome"])]
    (here / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for score, metric, value in (("exact", "exact_match", 0.0), ("contains", "contains", 0.5)):
        code, output = evalkit("score", "answers.jsonl", "--tasks", "qa.csv", "--score", score, "--name", score, "-q")
        assert code == 0, output
        [file] = here.glob(f"results/*/{score}/results.json")
        task = json.loads(file.read_text())["tasks"]["qa.csv"]
        assert task["metrics"][f"{metric},none"]["value"] == value
        assert task["headline"] == f"{metric},none"


def test_init_writes_a_file_that_validates(here: Path) -> None:
    assert evalkit("tasks", "init", "qa.csv") == (0, "qa.yaml is written; try: evalkit tasks validate qa.yaml\n")
    code, output = evalkit("tasks", "validate", "qa.yaml")
    assert code == 0, output
    assert "qa: 2 documents, 0 shots, exact_match,none" in output


def test_show_takes_the_same_flags(here: Path) -> None:
    (here / "de.csv").write_text("Frage,Antwort\nHauptstadt?,Seoul\n")
    code, output = evalkit("tasks", "show", "de.csv", "--input", "Frage", "--target", "Antwort")
    assert code == 0, output
    assert "Question: Hauptstadt?" in output


def test_a_comma_in_a_tables_name_parts_nothing(here: Path) -> None:
    (here / "a,b.csv").write_text("question,answer\nx,y\n")
    assert split_tasks("mini,a,b.csv,qa.csv") == ("mini", "a,b.csv", "qa.csv")


def test_a_table_is_one_task_however_its_path_is_typed(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "qa.csv").write_text("question,answer\nx,y\n")
    (here / "link").symlink_to(here / "sub" / "inner", target_is_directory=True)
    (here / "sub" / "inner").mkdir()
    typed = ["./qa.csv", "qa.csv", str(here / "qa.csv"), "sub/../qa.csv", "sub/qa.csv", "./s*/qa.csv", "link/../qa.csv"]
    assert spell_out(typed) == ["qa.csv", "sub/qa.csv", "link/../qa.csv"]
    (here / "own.jsonl").write_text("{}")
    assert spell_out(["alpaca:./own.jsonl", "mini"]) == ["alpaca:own.jsonl", "mini"]


def test_runs_of_one_table_by_two_paths_are_paired(here: Path) -> None:
    for name, task in (("a", "qa.csv"), ("b", "./qa.csv")):
        rows = [{"task": task, "doc_id": n, "output": "Seoul"} for n in range(2)]
        (here / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        code, output = evalkit("score", "answers.jsonl", "--tasks", task, "--name", name, "-q")
        assert code == 0, output
    code, output = evalkit("compare", "a", "b", "--json", "-")
    assert code == 0, output
    assert "qa.csv" in output
    assert "./qa.csv" not in output
    code, output = evalkit("tasks", "show", "./qa.csv")
    assert code == 0, output
    assert "stands for" not in output
