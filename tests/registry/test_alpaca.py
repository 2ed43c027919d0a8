"""`--tasks alpaca:FILE` from end to end, and task files of one's own with checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, UsageError
from evalkit.parsing import split_tasks
from evalkit.registry import Registry
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.runner import Outcome
from evalkit.types import Generated
from tests.helpers.instruct import GOOD, SPOKEN, Heard, lines
from tests.helpers.judged import evalkit
from tests.helpers.runfolders import results_of


def thousand(path: Path) -> Path:
    rows: list[Any] = [
        {
            "instruction": f"{n}번 질문입니다. 설명해 주세요.",
            "input": "" if n % 2 else "참고",
            "output": f"{n}번 답입니다.",
        }
        for n in range(1000)
    ]
    rows[16] = '{"instruction": "broken'
    rows[500] = {"instruction": "x", "outputs": "y"}
    return lines(path, *rows)


def test_a_thousand_rows_run_and_the_broken_ones_are_counted(
    corridor: Callable[..., list[Outcome]], tmp_path: Path
) -> None:
    heard, path = Heard(), thousand(tmp_path / "ko,alpaca.jsonl")
    (done,) = corridor(heard, tasks=f"alpaca:{path}")
    entry = results_of(done)["tasks"][f"alpaca:{path}"]
    ways = {metric: figure["higher_is_better"] for metric, figure in entry["metrics"].items()}
    assert ways.pop("length_ratio,none") is None
    assert set(ways.values()) == {True}
    [line] = [line for line in report(done.run, done.path).splitlines() if "|length_ratio" in line]
    assert "↑" not in line
    assert "↓" not in line
    assert (done.exit_code, results_of(done)["status"]) == (0, "complete")
    assert (entry["n"], entry["broken_rows"], entry["errors"]) == (998, 2, 0)
    assert all(figure["value"] is not None for figure in entry["metrics"].values())
    assert entry["headline"] == "chrf,none"
    assert any(f"{path}:17: not JSON" in note for note in heard.notes)
    assert any(f"{path}:501: no `output`" in note for note in heard.notes)
    assert "2 rows of its file" in (done.path / "report.md").read_text()
    again = json.loads((done.path / "manifest.json").read_text())["tasks"][f"alpaca:{path}"]
    assert [number for number, _ in again["broken_rows"]] == [17, 501]
    assert again["data_hash"]


def test_messages_with_roles_and_several_turns_run(
    corridor: Callable[..., list[Outcome]], tmp_path: Path, tiny_chat_model: Path
) -> None:
    path = lines(tmp_path / "chat.jsonl", SPOKEN, SPOKEN)
    (plain,) = corridor(tasks=f"messages:{path}")
    row = next(iter(Run.open(plain.path).rows(f"messages:{path}")))
    assert row["arguments"][0][0] == (
        "짧게\n\n### Instruction:\n안녕?\n\n### Response:\n네\n\n### Instruction:\n이름은?\n\n### Response:\n"
    )
    (chat,) = corridor(tasks=f"messages:{path}", model=str(tiny_chat_model), apply_chat_template="true")
    row = next(iter(Run.open(chat.path).rows(f"messages:{path}")))
    assert row["arguments"][0][0].startswith("<|system|>\n짧게</s>\n<|user|>\n안녕?</s>\n<|assistant|>\n네</s>")


def test_changed_data_is_another_setting(corridor: Callable[..., list[Outcome]], tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", GOOD)
    corridor(tasks=f"alpaca:{path}", name="once")
    heard = Heard()
    corridor(heard, tasks=f"alpaca:{path}", name="once")
    assert any("nothing to do" in note for note in heard.notes)
    lines(path, {**GOOD, "output": "부산입니다."})
    with pytest.raises(UsageError, match="other settings"):
        corridor(tasks=f"alpaca:{path}", name="once")


def test_patterns_and_commas_in_paths(tmp_path: Path) -> None:
    one, two = lines(tmp_path / "a,b.jsonl", GOOD), lines(tmp_path / "c.jsonl", GOOD)
    assert split_tasks(f"mini,alpaca:{one},alpaca:{two},gsm8k") == ("mini", f"alpaca:{one}", f"alpaca:{two}", "gsm8k")
    suite = Registry().load([f"alpaca:{tmp_path}/*.jsonl"])
    assert suite.requested == (f"alpaca:{one}", f"alpaca:{two}")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("alpaca:{0}/koalpca.jsonl", "did you mean koalpaca.jsonl"),
        ("alpaca:{0}", "a file is wanted"),
        ("alpaca:{0}/*.csv", "no file matches"),
        ("alpaca:", "a file is wanted"),
        ("{0}/koalpaca.jsonl", "type alpaca:"),
        ("alpca:{0}/koalpaca.jsonl", "type alpaca:"),
    ],
)
def test_a_missing_file_is_exit_2_with_what_to_type(tmp_path: Path, typed: str, said: str) -> None:
    lines(tmp_path / "koalpaca.jsonl", GOOD)
    done = evalkit("run", "--model", "nano", "--tasks", typed.format(tmp_path), code=2)
    assert said in done.stderr


TASK = """
task: my_probe
dataset_path: json
dataset_kwargs: {data_files: {test: my.jsonl}}
test_split: test
output_type: generate_until
conversation: messages
checks: CHECKS
doc_to_text: instruction
doc_to_target: reference
"""


def test_a_task_file_of_ones_own_may_name_checks(tmp_path: Path) -> None:
    one = {"instruction": "Say A or B.", "reference": "A", "checks": [{"kind": "choice", "options": ["A", "B"]}]}
    two = {"instruction": "In Korean.", "reference": "네", "checks": [{"kind": "language", "language": "ko"}]}
    lines(tmp_path / "my.jsonl", one, two)
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", "checks"))
    task = Registry((tmp_path,)).load(["my_probe"]).tasks["my_probe"]
    documents = task.build()
    rows = [task.score(d, [[Generated(0, text, "stop", 1)]])[0] for d, text in zip(documents, ("A", "A"), strict=True)]
    assert [row.metrics["checks_strict"] for row in rows] == [1.0, 0.0]
    lines(tmp_path / "my.jsonl", one)
    shared = "[{kind: choice, options: [A, B], equals: {$field: reference}}]"
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", shared))
    task = Registry((tmp_path,)).load(["my_probe"]).tasks["my_probe"]
    (row,) = task.score(task.build()[0], [[Generated(0, "B", "stop", 1)]])
    assert row.metrics["checks_strict"] == 0.0


@pytest.mark.parametrize(
    ("checks", "said"),
    [("[{kind: choise}]", "did you mean choice"), ("nowhere", "a list of checks is wanted"), ("3", "a list")],
)
def test_a_broken_check_in_a_task_file_is_one_line(tmp_path: Path, checks: str, said: str) -> None:
    lines(tmp_path / "my.jsonl", {"instruction": "Say A.", "reference": "A"})
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", checks))
    with pytest.raises(ConfigError, match=said):
        Registry((tmp_path,)).load(["my_probe"])
