"""Odd run folders: each is refused in one line, at once, and the other runs are still read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.comparison import compare
from evalkit.errors import EvalkitError, RunFolderError
from evalkit.gating import gate
from evalkit.ranking import leaderboard
from evalkit.results import Run, all_runs
from tests.helpers.runfolders import TaskRows, write_run


def edit(path: Path, **entries: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def deep(folder: Path) -> None:
    (folder / "results.json").write_text('{"tasks": ' * 200 + "{}" + "}" * 200)


def deeper(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000 + "]" * 100_000)


def pipe(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")


def loop(folder: Path) -> None:
    groups = {"g": {"members": ["h"]}, "h": {"members": ["i"]}, "i": {"members": ["g"]}}
    edit(folder / "results.json", groups=groups, requested=["g"])


def own_member(folder: Path) -> None:
    edit(folder / "results.json", groups={"g": {"members": ["g"]}}, requested=["g"])


def chain(folder: Path) -> None:
    groups = {f"g{n}": {"members": [f"g{n + 1}"]} for n in range(3000)}
    edit(folder / "results.json", groups=groups, requested=["g0"])


def upwards(folder: Path) -> None:
    """The deepest group first."""
    groups = {f"g{n}": {"members": [f"g{n + 1}"]} for n in reversed(range(500))}
    edit(folder / "results.json", groups=groups, requested=["g0"])


def doubled(folder: Path) -> None:
    """Forty groups that each hold the next one twice stand for 2**40 members."""
    groups = {f"g{n}": {"members": [f"g{n + 1}"] * 2} for n in range(40)}
    edit(folder / "results.json", groups=groups, requested=["g0"])


REFUSED = {
    "deep": deep,
    "deeper": deeper,
    "pipe": pipe,
    "loop": loop,
    "own_member": own_member,
    "chain": chain,
    "upwards": upwards,
    "doubled": doubled,
}


def huge(folder: Path) -> None:
    big = 10**400
    metrics = {"exact_match,strict-match": {"value": big, "stderr": big, "ci95": [big, big]}}
    task = {"n": big, "num_fewshot": big, "version": big, "chance": big, "missing": big, "metrics": metrics}
    edit(folder / "results.json", tasks={"t": task}, timing={"total": big}, tokens={"prompt": big})
    edit(folder / "manifest.json", limit=big, model={"typed": "m", "parameters": big})


def surrogate(folder: Path) -> None:
    text = (folder / "results.json").read_text()
    (folder / "results.json").write_text(text.replace('"t"', '"t\\ud800"'))


READ = {"huge": huge, "surrogate": surrogate}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_run(tmp_path, "good", {"t": TaskRows(np.ones(20))}, model="fine")


@pytest.mark.parametrize("spoil", REFUSED.values(), ids=REFUSED.keys())
def test_an_odd_folder_is_named_and_left_out(tmp_path: Path, good: Path, spoil: Callable[[Path], None]) -> None:
    odd = write_run(tmp_path, "odd", {"t": TaskRows(np.ones(20))}, model="odd")
    spoil(odd)
    with pytest.raises(RunFolderError) as raised:
        Run.open(odd)
    assert "\n" not in str(raised.value)
    found = all_runs(tmp_path)
    assert [run.path for run in found.runs] == [good]
    assert [folder for folder, _ in found.broken] == [odd]


@pytest.mark.parametrize("spoil", READ.values(), ids=READ.keys())
def test_odd_values_stop_nobody(tmp_path: Path, good: Path, spoil: Callable[[Path], None]) -> None:
    odd = write_run(tmp_path, "odd", {"t": TaskRows(np.ones(20))}, model="odd")
    spoil(odd)
    runs = all_runs(tmp_path).runs
    assert len(runs) == 2
    board = leaderboard(runs)
    assert {line.run.path for line in board.lines} == {good, odd}
    "".join(benchmark.name for benchmark in board.benchmarks).encode()
    with pytest.raises(EvalkitError):
        gate(Run.open(good), Run.open(odd))


def test_a_table_of_a_few_bytes_and_millions_of_lines_is_refused(tmp_path: Path, good: Path) -> None:
    n = 5_000_000
    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x"]))
    columns = dict.fromkeys(("task", "doc_hash", "prompt_hash", "filter", "metric", "flags"), same)
    numbers = {"doc_id": pa.array(np.zeros(n, np.int64)), "value": pa.array(np.zeros(n))}
    pq.write_table(pa.table({**columns, **numbers}), good / "scores.parquet")
    assert (good / "scores.parquet").stat().st_size < 1 << 20
    with pytest.raises(RunFolderError, match="5,000,000 lines are no table of scores"):
        Run.open(good).scores()


@pytest.mark.parametrize("value", [1e308, -1e308])
def test_one_immense_value_is_no_division_by_zero(tmp_path: Path, good: Path, value: float) -> None:
    odd = np.ones(20)
    odd[3] = value
    other = Run.open(write_run(tmp_path, "other", {"t": TaskRows(odd, figure={"value": 1.0})}, model="odd"))
    for pair in ((Run.open(good), other), (other, Run.open(good))):
        with suppress(EvalkitError):
            compare(pair[0], [pair[1]])
        with suppress(EvalkitError):
            assert gate(*pair).verdict != "pass"
