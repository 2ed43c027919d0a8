"""Pairs of runs for the gate's tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from evalkit.gating import Evidence, GateResult, TaskVerdict, gate
from evalkit.policy import Policy, TaskPolicy
from evalkit.results import Run
from evalkit.stats import Design, bounded_difference
from tests.helpers.runfolders import TaskRows, write_run

RUNS = 10_000

GSM8K = 1319


def values(n: int, right: int) -> np.ndarray:
    return (np.arange(n) < right).astype(float)


def changed(base: np.ndarray, lost: int, gained: int) -> np.ndarray:
    """The same answers, with so many lost and gained."""
    other = base.copy()
    other[np.flatnonzero(base == 1)[:lost]] = 0.0
    other[np.flatnonzero(base == 0)[:gained]] = 1.0
    return other


def judge(
    root: Path, base: TaskRows, other: TaskRows, policy: Any = None, task: str = "gsm8k", **options: Any
) -> TaskVerdict:
    result = both(root, {task: base}, {task: other}, policy, **options)
    (found,) = result.tasks
    return found


def both(
    root: Path, base: Mapping[str, TaskRows], other: Mapping[str, TaskRows], policy: Any = None, **options: Any
) -> GateResult:
    a = Run.open(write_run(root, f"a{len(list(root.glob('*/*')))}", base))
    b = Run.open(write_run(root, f"b{len(list(root.glob('*/*')))}", other))
    return gate(a, b, None if policy is None else Policy.parse({"tasks": policy}), **options)


def several(root: Path) -> GateResult:
    base = values(GSM8K, 600)
    return both(
        root,
        {
            "gsm8k": TaskRows(base),
            "mmlu": TaskRows(base, "acc,none"),
            "humaneval": TaskRows(values(164, 50), "pass@1,x"),
        },
        {
            "gsm8k": TaskRows(changed(base, 99, 33)),
            "mmlu": TaskRows(changed(base, 3, 5), "acc,none"),
            "humaneval": TaskRows(values(164, 50), "pass@1,x"),
        },
        {"gsm8k": {}, "mmlu": {"max_drop": "5%"}, "humaneval": {"tier": "supporting"}},
    )


def spoil(folder: Path, how: str) -> None:
    results, manifest = folder / "results.json", folder / "manifest.json"
    content = json.loads(results.read_text())
    figure = content["tasks"]["gsm8k"]["metrics"]["exact_match,strict-match"]
    table = folder / "scores.parquet"
    if how == "nan figure":
        figure["value"] = float("nan")
    elif how == "null figure":
        figure.update(value=None, reason="the engine died")
    elif how == "nan elsewhere":
        content["tasks"]["gsm8k"]["metrics"]["exact_match,flexible-extract"] = {"value": float("nan")}
    elif how == "interrupted":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "finished": None}))
    elif how == "a task gone":
        content["requested"].append("mmlu")
    elif how == "text figure":
        figure["value"] = "0.45"
    elif how == "no metrics":
        content["tasks"]["gsm8k"]["metrics"] = {}
    elif how == "no figure of the metric":
        content["tasks"]["gsm8k"]["metrics"] = {"acc,none": figure}
    elif how == "incomplete":
        content["status"] = "incomplete"
    elif how == "half the rows":
        pq.write_table(pq.read_table(table).slice(0, 700), table)
    elif how == "no rows":
        pq.write_table(pq.read_table(table).slice(0, 0), table)
    elif how == "cut parquet":
        table.write_bytes(table.read_bytes()[:-200])
    elif how == "no parquet":
        table.unlink()
    elif how == "no manifest":
        manifest.unlink()
    elif how == "cut json":
        results.write_text(results.read_text()[:-30])
        return
    elif how == "a list":
        results.write_text("[]")
        return
    elif how == "nan error":
        figure["stderr"] = float("nan")
    elif how == "odd metrics":
        content["tasks"]["gsm8k"]["metrics"] = [1]
    elif how == "odd members":
        content["groups"] = {"gsm8k": {"members": 5, "metrics": {}}}
    elif how == "odd names":
        content["requested"] = 7
    elif how == "odd model":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "model": 5, "adapter": 3}))
    elif how == "no column":
        pq.write_table(pq.read_table(table).drop_columns(["doc_hash"]), table)
    results.write_text(json.dumps(content))


def of_values(
    name: str,
    baseline: ArrayLike,
    candidate: ArrayLike,
    policy: TaskPolicy | None = None,
    *,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    scale: float = 1.0,
) -> Evidence:
    """Evidence from two columns of values, higher being better."""
    a, b = np.asarray(baseline, float), np.asarray(candidate, float)
    plan = Design(a.size, strata=strata, clusters=clusters)
    difference = bounded_difference(b - a, scale=scale, baseline=a, design=plan)
    return Evidence(name, policy or TaskPolicy(), difference, difference, difference)
