"""A candidate that was asked less than the baseline does not pass, unless that is allowed by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.comparison import compare
from evalkit.errors import UsageError
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.reporting import gate_view
from evalkit.results import Run
from tests.helpers.runfolders import TaskRows, write_run

N = 1319
RIGHT = (np.arange(N) % 2).astype(float)


def full(root: Path, name: str = "full", **tasks: TaskRows) -> Run:
    return Run.open(write_run(root, name, tasks or {"gsm8k": TaskRows(RIGHT)}))


def limited(root: Path, n: int, limit: Any, *, without: int | None = None, name: str = "few") -> Run:
    kept = [i for i in range(n) if i != without]
    rows = TaskRows(
        RIGHT[kept],
        hashes=[f"gsm8k-{i}" for i in kept],
        settings={"prompts_hash": "F", "data_hash": "F"},
    )
    path = write_run(root, name, {"gsm8k": rows}, status="limited", manifest={"limit": limit})
    if without is not None:
        _renumber(path, kept)
    return Run.open(path)


def _renumber(path: Path, doc_ids: list[int]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path / "scores.parquet")
    pq.write_table(
        table.set_column(table.column_names.index("doc_id"), "doc_id", pa.array(doc_ids)), path / "scores.parquet"
    )


@pytest.mark.parametrize("limit", [1000, 1000 / N, None])
def test_a_limited_candidate_does_not_pass_against_a_full_baseline(tmp_path: Path, limit: Any) -> None:
    baseline, candidate = full(tmp_path), limited(tmp_path, 1000, limit)
    result = gate(baseline, candidate)
    assert result.verdict == "cannot_tell"
    assert any("319 documents of the baseline are not judged" in reason for reason in result.tasks[0].reasons)
    assert gate(baseline, candidate, allow=["limit"]).verdict == "pass"
    assert gate(candidate, baseline).verdict == "pass", "the candidate covers all of the baseline's documents"


def test_a_limited_candidate_can_still_fail(tmp_path: Path) -> None:
    worse = TaskRows(np.zeros(1000), settings={"prompts_hash": "F", "data_hash": "F"})
    path = write_run(tmp_path, "worse", {"gsm8k": worse}, status="limited", manifest={"limit": 1000})
    assert gate(full(tmp_path), Run.open(path)).verdict == "regression"


def test_a_row_that_is_absent_below_the_limit_is_missing(tmp_path: Path) -> None:
    baseline, candidate = full(tmp_path), limited(tmp_path, 1000, 1000, without=7)
    (task,) = gate(baseline, candidate, allow=["limit"]).tasks
    assert (task.n, task.unpaired.only_baseline, task.unpaired.outside_limit) == (999, 1, 319)
    assert task.missing_candidate == 1
    (compared,) = compare(baseline, [candidate]).against[0].tasks
    assert (compared.n, compared.unpaired.only_baseline, compared.unpaired.outside_limit) == (999, 1, 319)


@pytest.mark.parametrize("said", [1, 0.001, -1])
def test_a_limit_does_not_hide_the_rows_that_were_left_out(tmp_path: Path, said: float) -> None:
    """Right answers alone, from all over the task, under a limit that would leave the others outside."""
    right = [i for i in range(N) if RIGHT[i] == 1]
    rows = TaskRows(RIGHT[right], hashes=[f"gsm8k-{i}" for i in right])
    path = write_run(tmp_path, "chosen", {"gsm8k": rows}, status="limited", manifest={"limit": said})
    _renumber(path, right)
    (task,) = gate(full(tmp_path), Run.open(path), allow=["limit"]).tasks
    assert task.missing_candidate == len(RIGHT) - len(right) - (RIGHT[-1] == 0)
    assert task.verdict == "regression"


def test_a_candidate_that_was_asked_fewer_tasks_does_not_pass(tmp_path: Path) -> None:
    baseline = full(tmp_path, "two", gsm8k=TaskRows(RIGHT), mmlu=TaskRows(RIGHT))
    candidate = full(tmp_path, "one")
    result = gate(baseline, candidate)
    assert (result.verdict, result.exit_code, result.not_run) == ("cannot_tell", 3, ("mmlu",))
    assert gate_view.headline(result) == "CANNOT TELL: mmlu (not run)"
    assert any("--allow tasks" in note for note in result.notes)
    assert gate(baseline, candidate, allow=["tasks"]).verdict == "pass"
    assert gate(baseline, candidate, Policy.parse({"tasks": {"gsm8k": {}}})).verdict == "pass"
    assert gate(candidate, baseline).verdict == "pass"


def test_a_task_of_the_baseline_is_judged_where_the_candidate_has_it_in_a_group(tmp_path: Path) -> None:
    """`--tasks gsm8k,law` against `--tasks gsm8k,mmlu`, of which law is a member: its drop must not go unseen."""
    tasks = {"gsm8k": TaskRows(RIGHT), "law": TaskRows(RIGHT)}
    baseline = full(tmp_path, "members", **tasks)
    worse = {**tasks, "law": TaskRows(np.where(np.arange(N) < 400, 0.0, RIGHT))}
    candidate = Run.open(write_run(tmp_path, "group", worse, groups={"mmlu": ["law"]}, requested=["gsm8k", "mmlu"]))
    result = gate(baseline, candidate)
    assert {task.name: task.verdict for task in result.tasks} == {"gsm8k": "pass", "law": "regression"}


def test_an_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean limit"):
        gate(full(tmp_path), limited(tmp_path, 10, 10), allow=["limits"])
