"""Six benchmarks of the mirror, and how the rows of two runs of them differ."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evalkit as ek
from evalkit.results import Run

SIX = ("mmlu_anatomy", "hellaswag", "gsm8k", "bbh_cot_fewshot_navigate", "truthfulqa_mc2", "kobest_copa")
EXACT = ("doc_id", "filter", "doc_hash", "prompt_hash", "arguments", "finish", "error")
TOLERANCE = 1e-4


def evaluate(model: Path, hub: Path, out: Path, name: str, **more: Any) -> ek.Run:
    """A few documents of each benchmark, generations kept short."""
    asked: dict[str, Any] = {"tasks": SIX, "limit": 20, "num_fewshot": 1, "gen_kwargs": {"max_gen_toks": 12}}
    asked |= {"data_dir": hub, "output_path": out, "journal": out / name, "model_args": {"dtype": "float32"}}
    run = ek.evaluate(str(model), **{**asked, **more}, name=name)
    assert isinstance(run, ek.Run)
    return run


def differences(one: Path, other: Path) -> tuple[int, list[str], float]:
    """Of two run folders: the number of rows, what is not equal in them, and the largest difference of two numbers."""
    count, problems, largest = 0, list[str](), 0.0
    runs = Run.open(one), Run.open(other)
    for task in sorted({file.stem for run in runs for file in (run.path / "samples").iterdir()}):
        rows, others = (list(run.rows(task)) for run in runs)
        if len(rows) != len(others):
            problems.append(f"{task}: {len(rows)} rows and {len(others)}")
        for row, counterpart in zip(rows, others, strict=False):
            count += 1
            place = f"{task} {row['doc_id']}"
            for key in EXACT:
                if row.get(key) != counterpart.get(key):
                    problems.append(f"{place} {key}: {row.get(key)} and {counterpart.get(key)}")
            numbers = [[either["resps"], *map(either.get, row["metrics"])] for either in (row, counterpart)]
            for mine, theirs in zip(*map(_leaves, numbers), strict=True):
                if isinstance(mine, float) and isinstance(theirs, float) and not math.isnan(mine - theirs):
                    largest = max(largest, abs(mine - theirs))
                elif mine != theirs:
                    problems.append(f"{place}: {mine!r} and {theirs!r}")
    return count, problems, largest


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def journal_keys(folder: Path) -> list[bytes]:
    """The keys of all answers in a journal."""
    keys: list[bytes] = []
    for file in sorted(folder.glob("answers*.db")):
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
            tables = base.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchall()
            # Another process may just be making the file.
            keys += [key for (key,) in base.execute("SELECT key FROM answers")] if tables else []
    return keys
