"""Check tasks with several answers per document: each is checked as if it were the only one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.registry import Registry, Task
from evalkit.registry.rows import Document
from evalkit.types import Finish, Generated, Program, Row, Verdict
from tests.helpers.instruct import DOCUMENTS

REFERENCES = {document["id"]: document["reference"] for document in DOCUMENTS}
NAMES = ("instruct_json_en", "instruct_python_en", "instruct_conversation_en")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return dict(Registry().load(list(NAMES)).tasks)


def judged(program: Program) -> Verdict:
    """In place of the sandbox: a program passes if it defines a function."""
    return Verdict("passed" if "def " in program.source else "failed", "", 0.0)


def row_of(task: Task, document: Document, turns: Sequence[Sequence[str]], finish: Sequence[Finish] = ()) -> Row:
    """The row of a document with these answers to each of its turns."""
    ends = finish or ("stop",) * len(turns[0])
    answers = [[Generated(0, text, end, 3) for text, end in zip(turn, ends, strict=True)] for turn in turns]
    programs = task.programs(document, answers)
    (row,) = task.score(document, answers, None if programs is None else [judged(p) for p in programs])
    return row


def answers_to(document: Document) -> list[list[str]]:
    """Three answers to each turn: a good one, one with words around it, and nothing."""
    good = REFERENCES[document.doc["id"]]
    return [["OK", "OK", "no"]] * (len(document.requests) - 1) + [[good, f"Sure!\n{good}", "nothing"]]


@pytest.mark.parametrize("name", NAMES)
def test_each_of_several_answers_is_checked_alone(name: str, tasks: dict[str, Task]) -> None:
    task = tasks[name]
    for document in task.build(6):
        turns = answers_to(document)
        row = row_of(task, document, turns)
        alone = [row_of(task, document, [[turn[place]] for turn in turns]) for place in range(3)]
        assert row.samples is not None
        assert row.samples.metric == "checks_strict"
        assert list(row.samples.scores) == [one.metrics["checks_strict"] for one in alone]
        assert row.metrics == alone[0].metrics, "the task's own figures are of the first answer"
        assert row.sample["checks"] == alone[0].sample["checks"]


def test_an_answer_that_never_came_to_its_end_is_not_checked(tasks: dict[str, Task]) -> None:
    task = tasks["instruct_python_en"]
    document = task.build(1)[0]
    row = row_of(task, document, answers_to(document), ("unfinished", "stop", "stop"))
    assert row.samples is not None
    assert row.samples.scores[0] is None
    assert row.samples.votes[0] is None
    assert None not in row.samples.scores[1:]
    assert set(row.metrics.values()) == {None}
    nothing = row_of(task, document, answers_to(document), ("unfinished",) * 3)
    assert nothing.samples is not None
    assert set(nothing.samples.scores) == {None}


def test_recorded_outputs_give_a_check_tasks_figures(tmp_path: Path, tasks: dict[str, Task]) -> None:
    documents = tasks["instruct_json_en"].build(4)
    outputs = [[REFERENCES[d.doc["id"]]] * right + ["nothing"] * (4 - right) for right, d in enumerate(documents, 1)]
    file = tmp_path / "recorded.jsonl"
    rows = [
        {"task": "instruct_json_en", "doc_id": d.doc_id, "outputs": o} for d, o in zip(documents, outputs, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ek.score(file, output_path=tmp_path / "runs", name="a", limit=4)
    entry: Any = json.loads((run.path / "results.json").read_text())["tasks"]["instruct_json_en"]
    value = {name: figure["value"] for name, figure in entry["metrics"].items()}
    assert entry["headline"] == "avg@4,none"
    assert value["avg@4,none"] == pytest.approx((1 + 2 + 3 + 4) / 16)
    assert value["maj@4,none"] == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert value["pass@2,none"] == pytest.approx((3 / 6 + 5 / 6 + 1 + 1) / 4)
    assert value["pass@4,none"] == 1.0
    assert value["checks_strict,none"] == 1.0
