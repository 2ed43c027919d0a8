"""Odd score tables: long texts that stand once and are pointed to often, and files that contradict themselves."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import RunFolderError
from evalkit.results import table
from evalkit.results.parquet_size import values_in
from evalkit.results.table import read_scores

MANY, LONG = 120_000, 20_000
"""Lines, and characters of a text: 2.4 GB if each line had its own."""


def columns(n: int, **more: Any) -> dict[str, Any]:
    return {
        "task": ["t"] * n,
        "doc_id": np.arange(n),
        "doc_hash": [f"h{i}" for i in range(n)],
        "metric": ["acc"] * n,
        "value": np.ones(n),
        **more,
    }


def pointed_to(n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * LONG]))


def one_each(n: int, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32)), values)


def long_texts() -> pa.Table:
    return pa.table(columns(MANY, flags=pointed_to(MANY)))


def lists_of_long_texts() -> pa.Table:
    return pa.table(columns(MANY, flags=one_each(MANY, pointed_to(MANY))))


def one_line_of_long_texts() -> pa.Table:
    return pa.table(columns(1, flags=pa.ListArray.from_arrays(pa.array([0, MANY], pa.int32()), pointed_to(MANY))))


BOMBS = [long_texts, lists_of_long_texts, one_line_of_long_texts]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_text_that_stands_once_for_many_lines_is_refused_before_it_is_written_out(
    tmp_path: Path, bomb: Callable[[], pa.Table]
) -> None:
    path = tmp_path / "scores.parquet"
    pq.write_table(bomb(), path, store_schema=False, write_statistics=False)
    before = pa.total_allocated_bytes()
    with pytest.raises(RunFolderError, match="no table of scores"):
        read_scores(path)
    assert pa.total_allocated_bytes() - before < 1 << 30


def test_lists_of_numbers_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_MOST_UNPACKED", 16 << 20)
    path = tmp_path / "scores.parquet"
    zeros = pa.array(np.zeros(1_500_000))
    line = pa.table(columns(1, parts=pa.ListArray.from_arrays(pa.array([0, len(zeros)], pa.int32()), zeros)))
    with pq.ParquetWriter(path, line.schema, write_statistics=False) as writer:
        for _ in range(2):
            writer.write_table(line)
    assert path.stat().st_size < 1 << 14
    with pytest.raises(RunFolderError, match="no table of scores"):
        read_scores(path)


ODD: dict[str, tuple[Any, str]] = {
    "a hash that is no UTF-8": (
        {
            "doc_hash": pa.StringArray.from_buffers(
                2, pa.py_buffer(np.arange(3, dtype=np.int32)), pa.py_buffer(b"\xff\xfe")
            )
        },
        "UTF8",
    ),
    "no doc_id": ({"doc_id": pa.array([0, None])}, "without a doc_id"),
    "fixed width": ({"flags": pa.array([b"x" * 99] * 2, pa.binary(99))}, "column flags is fixed_size_binary"),
    "struct": ({"flags": pa.array([{"a": "x"}] * 2)}, "column flags is struct"),
    "lists of lists": ({"flags": pa.array([[["a"]]] * 2)}, "column flags is list"),
}


@pytest.mark.parametrize(("more", "says"), ODD.values(), ids=ODD.keys())
def test_odd_columns_are_named(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    pq.write_table(pa.table(columns(2, **more)), tmp_path / "scores.parquet")
    with pytest.raises(RunFolderError, match=says):
        read_scores(tmp_path / "scores.parquet")


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    once = pa.table(columns(2))
    pq.write_table(once.append_column("task", once.column("task")), tmp_path / "scores.parquet")
    with pytest.raises(RunFolderError, match="several columns task"):
        read_scores(tmp_path / "scores.parquet")


def test_flags_are_text_or_lists_in_any_number_of_row_groups(tmp_path: Path) -> None:
    lists = pa.array([["cut", "missing"], [], None, ["cut"]])
    pq.write_table(pa.table(columns(4, flags=lists)), tmp_path / "scores.parquet", row_group_size=1)
    assert read_scores(tmp_path / "scores.parquet").column("flags").to_pylist() == ["cut,missing", "", "", "cut"]


def test_damaged_tables_are_read_or_refused(tmp_path: Path) -> None:
    """A footer that contradicts itself makes pyarrow end the whole process where it is asked for a column's size."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns(50, flags=["cut"] * 50)), buffer)
    whole = buffer.getvalue()
    dice = random.Random(1)
    path = tmp_path / "scores.parquet"
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(dice.choice([1, 2, 5])):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            read_scores(path)
        except RunFolderError:
            refused += 1
    assert 0 < refused < 300


def test_the_footer_is_read_as_pyarrow_reads_it() -> None:
    for groups in (1, 3, 20):
        buffer = io.BytesIO()
        lines = pa.table(columns(20, parts=[[1.0, 2.0]] * 20, corpus=pa.nulls(20, pa.string())))
        pq.write_table(lines, buffer, row_group_size=groups)
        known = pq.read_metadata(buffer)
        chunks = [known.row_group(i).column(j) for i in range(known.num_row_groups) for j in range(known.num_columns)]
        assert values_in(buffer.getvalue()) == sum(chunk.num_values for chunk in chunks)
