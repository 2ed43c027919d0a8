"""Broken run folders are refused with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import RunFolderError
from evalkit.results import Run, find
from tests.helpers.quizruns import make, row


@pytest.mark.parametrize("gone", ["manifest.json", "results.json", "scores.parquet"])
@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
def test_a_half_written_folder_is_named_as_such(tmp_path: Path, gone: str, how: str) -> None:
    path = make(tmp_path).path / gone
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "empty" else path.read_bytes()[:-20])
    with pytest.raises(RunFolderError, match=gone):
        find("r1", tmp_path).scores()


def test_a_table_that_lacks_a_listed_task_is_broken(tmp_path: Path) -> None:
    run = make(tmp_path)
    pq.write_table(run.scores().slice(0, 0), run.path / "scores.parquet")
    with pytest.raises(RunFolderError, match="quiz"):
        Run.open(run.path).scores()


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "list"), ('{"schema": 2}', "schema"), ('{"status": "fine"}', "status"), ('{"tasks": []}', "tasks")],
)
def test_results_of_the_wrong_shape_are_refused(tmp_path: Path, content: str, message: str) -> None:
    run = make(tmp_path)
    (run.path / "results.json").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        Run.open(run.path)


def test_a_broken_row_is_named_with_its_line(tmp_path: Path) -> None:
    run = make(tmp_path, rows=[row(0), row(1)])
    with run.rows_path("quiz").open("a") as file:
        file.write('{"doc_id": 2')
    with pytest.raises(RunFolderError, match=r"quiz\.jsonl:3"):
        list(run.rows("quiz"))


@pytest.mark.parametrize("flags", [pa.array([["cut", "missing"]]), pa.array(["cut,missing"]), pa.array([None]), None])
def test_a_table_from_elsewhere_is_read_leniently(tmp_path: Path, flags: Any) -> None:
    columns: dict[str, Any] = {"task": ["quiz"], "doc_id": pa.array([0], pa.int32()), "doc_hash": ["h"]}
    columns |= {"metric": pa.array(["acc"]).dictionary_encode(), "value": pa.array([1], pa.int8()), "more": [1]}
    if flags is not None:
        columns["flags"] = flags
    run = make(tmp_path)
    pq.write_table(pa.table(columns), run.path / "scores.parquet")
    [line] = Run.open(run.path).scores().to_pylist()
    assert line["flags"] in ("cut,missing", "")
    assert (line["flags"] == "") == (flags is None or flags[0].as_py() is None)
    assert (line["value"], line["filter"], line["prompt_hash"]) == (1.0, "none", None)


def test_a_table_without_what_pairing_needs_is_refused(tmp_path: Path) -> None:
    run = make(tmp_path)
    pq.write_table(pa.table({"task": ["quiz"], "value": [1.0]}), run.path / "scores.parquet")
    with pytest.raises(RunFolderError, match="doc_hash"):
        Run.open(run.path).scores()


def test_a_bare_hand_written_run_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "r"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"model": "m"}')
    (folder / "results.json").write_text('{"tasks": {}}')
    run = find("m@latest", tmp_path)
    assert (run.label, run.run_id, run.status, run.requested) == ("m", "r", "complete", [])
