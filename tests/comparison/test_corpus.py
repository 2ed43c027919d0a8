"""Figures of all documents together between two runs: compared and gated like any other figure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.comparison import compare
from evalkit.errors import NotComparable, RunFolderError
from evalkit.gating import gate
from evalkit.policy import Policy
from evalkit.results import Run
from evalkit.stats import corpus_value
from tests.helpers.runfolders import TaskRows, write_run

Array = np.ndarray[Any, Any]


def answers(n: int, right: float, seed: int = 0) -> Array:
    dice = np.random.default_rng(seed)
    gold = np.arange(n) % 3
    return np.stack([gold, np.where(dice.random(n) < right, gold, (gold + 1) % 3)], axis=1).astype(float)


def task(parts: Array, kind: str = "macro_f1", **more: Any) -> TaskRows:
    known = parts[~np.isnan(parts).any(axis=1)]
    missing = len(parts) - len(known)
    figure = {"value": corpus_value(kind, known), "higher_is_better": kind != "perplexity"}
    flags = dict.fromkeys(np.flatnonzero(np.isnan(parts).any(axis=1)), "missing")
    entry = {"n": len(known), "missing": missing}
    return TaskRows(
        [math.nan] * len(parts),
        "f1,none",
        {**dict.fromkeys(range(len(parts)), ""), **flags},
        figure=figure,
        entry=entry,
        corpus=(kind, parts),
        **more,
    )


def runs(tmp_path: Path, here: Array, there: Array, kind: str = "macro_f1") -> tuple[Run, Run]:
    made = (write_run(tmp_path, side, {"t": task(parts, kind)}) for side, parts in (("a", here), ("b", there)))
    first, second = (Run.open(path) for path in made)
    return first, second


def policy(drop: float | str) -> Policy:
    return Policy.parse({"tasks": {"t": {"metric": "f1", "max_drop": drop}}})


def test_a_macro_f1_is_compared_with_an_interval(tmp_path: Path) -> None:
    here, there = answers(600, 0.7), answers(600, 0.8, 1)
    [against] = compare(*(lambda a, b: (a, [b]))(*runs(tmp_path, here, there))).against
    [found] = against.tasks
    assert found.baseline == pytest.approx(corpus_value("macro_f1", here))
    assert found.delta == pytest.approx(corpus_value("macro_f1", there) - corpus_value("macro_f1", here))
    assert found.ci95 is not None
    assert found.ci95.low < found.delta < found.ci95.high
    assert found.p is not None
    assert found.p < 0.01
    right = here[:, 0] == here[:, 1], there[:, 0] == there[:, 1]
    assert (found.lost, found.gained) == (int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum()))
    assert found.detectable is not None


@pytest.mark.parametrize(("right", "verdict"), [(0.5, "regression"), (0.7, "pass"), (0.66, "cannot_tell")])
def test_a_macro_f1_is_gated(tmp_path: Path, right: float, verdict: str) -> None:
    here = answers(900, 0.7)
    there = here.copy() if right == 0.7 else answers(900, right, 0)
    result = gate(*runs(tmp_path, here, there), policy(0.03))
    assert result.verdict == verdict
    relative = gate(*runs(tmp_path / "again", here, there), policy("5%"))
    assert relative.verdict == verdict
    [judged] = result.tasks
    assert (judged.n, judged.scale) == (900, 1.0)
    assert (judged.needed_n is not None) == (verdict == "cannot_tell")


def test_fewer_of_a_figure_is_better_where_the_run_says_so(tmp_path: Path) -> None:
    dice = np.random.default_rng(2)
    words = dice.integers(50, 200, 500).astype(float)
    here, there = (np.stack([-words * level, words], axis=1) for level in (3.0, 3.2))
    result = gate(*runs(tmp_path, here, there, "perplexity"), policy("2%"))
    assert result.verdict == "regression"
    assert gate(*runs(tmp_path / "back", there, here, "perplexity"), policy("2%")).verdict == "pass"


def test_answers_that_are_missing_are_bounded_or_said_to_have_no_bound(tmp_path: Path) -> None:
    here = answers(900, 0.7)
    there = here.copy()
    there[:200] = math.nan
    [found] = gate(*runs(tmp_path, here, there), policy(0.05)).tasks
    assert (found.metric_verdict, found.missing_candidate, found.n) == ("cannot_tell", 200, 700)
    assert found.lower.value is not None
    assert found.lower.value < -0.1
    ratio = np.stack([(here[:, 0] == here[:, 1]).astype(float), np.ones(900)], axis=1)
    gone = ratio.copy()
    gone[:5] = math.nan
    [open_ended] = gate(*runs(tmp_path / "ratio", ratio, gone, "ratio"), policy(0.05)).tasks
    assert (open_ended.metric_verdict, open_ended.lower.value) == ("cannot_tell", None)


def test_a_group_is_the_mean_of_its_tasks_and_they_are_its_strata(tmp_path: Path) -> None:
    parts = {"t_a": (answers(600, 0.7), answers(600, 0.7, 1)), "t_b": (answers(200, 0.5), answers(200, 0.6, 1))}
    made = []
    for side in (0, 1):
        values = {name: corpus_value("macro_f1", pair[side]) for name, pair in parts.items()}
        value = (600 * values["t_a"] + 200 * values["t_b"]) / 800
        group = {"n": 800, "members": list(parts), "metrics": {"f1,none": {"value": value, "higher_is_better": True}}}
        folder = write_run(
            tmp_path,
            f"r{side}",
            {name: task(pair[side]) for name, pair in parts.items()},
            requested=["t"],
            results={"groups": {"t": group}},
        )
        made.append(Run.open(folder))
    [against] = compare(made[0], [made[1]]).against
    [found] = against.tasks
    assert [member.name for member in found.members] == ["t_a", "t_b"]
    assert found.baseline == pytest.approx(made[0].record.results.groups["t"].metrics["f1,none"].value)
    assert found.n == 800


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    here = answers(60, 0.7)
    new = Run.open(write_run(tmp_path, "new", {"t": task(here)}))
    old = TaskRows(
        [1.0] * 60, "f1,none", figure={"value": 0.7, "higher_is_better": True}, entry={"n": 60, "missing": 0}
    )
    with pytest.raises(NotComparable, match="evalkit score RUN"):
        compare(new, [Run.open(write_run(tmp_path, "old", {"t": old}))])
    with pytest.raises(RunFolderError, match="no figure that this evalkit knows"):
        compare(new, [Run.open(write_run(tmp_path, "odd", {"t": _renamed(task(here), "made_up")}))])
    with pytest.raises(RunFolderError, match="other than 2 finite numbers"):
        compare(new, [Run.open(write_run(tmp_path, "wide", {"t": _renamed(task(here), "macro_f1", 3)}))])


def _renamed(rows: TaskRows, kind: str, width: int = 2) -> TaskRows:
    rows.corpus = (kind, np.zeros((len(rows.values), width)))
    return rows


def test_what_documents_add_is_read_from_files_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "a", {"t": task(answers(40, 0.7))})
    assert not (folder / "samples").exists()
    columns = Run.open(folder).scores().to_pydict()
    assert columns["corpus"] == ["macro_f1"] * 40
    assert columns["parts"][1][0] == 1.0
    assert json.loads((folder / "results.json").read_text())["tasks"]["t"]["n"] == 40
