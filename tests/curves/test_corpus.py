"""Curves of figures of all documents together: F1 and perplexity, whose documents have no value of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.curves import draw_curves
from evalkit.curves.corpus import Resampled
from evalkit.curves.records import TaskCurve
from evalkit.curves.verdicts import decide
from evalkit.results import Run
from evalkit.stats import Contributions, corpus_value
from tests.comparison.test_corpus import answers, task
from tests.helpers.early import too_many
from tests.helpers.runfolders import write_run

Array = np.ndarray[Any, Any]


def curve(tmp_path: Path, points: Sequence[Array], kind: str = "macro_f1", baseline: Array | None = None) -> TaskCurve:
    rows = {f"step{k + 1}": parts for k, parts in enumerate(points)}
    runs = {name: Run.open(write_run(tmp_path, name, {"t": task(parts, kind)})) for name, parts in rows.items()}
    outside = None
    if baseline is not None:
        outside = Run.open(write_run(tmp_path, "base", {"t": task(baseline, kind)}))
    [drawn] = draw_curves(list(runs.values()), baseline=outside).tasks
    return drawn


def better(parts: Array, share: float) -> Array:
    """The same answers, with some of the wrong ones put right."""
    wrong = np.flatnonzero(parts[:, 0] != parts[:, 1])
    mended = parts.copy()
    mended[wrong[: int(share * len(wrong))], 1] = parts[wrong[: int(share * len(wrong))], 0]
    return mended


def test_a_macro_f1_declines_and_its_documents_are_named(tmp_path: Path) -> None:
    start = answers(400, 0.6)
    best = better(start, 0.5)
    drawn = curve(tmp_path, [start, best, best, start], baseline=best)
    values = [corpus_value("macro_f1", parts) for parts in (start, best, best, start)]
    assert [point.value for point in drawn.points] == pytest.approx(values)
    assert all(point.low < point.value < point.high for point in drawn.points if point.low is not None)
    assert drawn.documents == 400
    assert (drawn.best and drawn.best.x, drawn.declined, drawn.declined_from) == (2, True, 4)
    assert "paired on 400 documents" in drawn.reason
    assert len(drawn.forgotten) == int((start[:, 0] != start[:, 1]).sum()) // 2
    assert [point.against for point in drawn.points] == ["worse", None, None, "worse"]


def test_the_best_perplexity_is_the_lowest(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    words = dice.integers(20, 60, 200).astype(float)
    likelihoods = [-words * (level + dice.normal(0, 0.1, 200)) for level in (3.0, 2.0, 2.4)]
    drawn = curve(tmp_path, [np.stack([ll, words], axis=1) for ll in likelihoods], "perplexity")
    assert (drawn.best and drawn.best.x, drawn.declined, drawn.higher_is_better) == (2, True, False)
    assert drawn.forgotten == ()
    assert all(point.low is not None and point.low < (point.value or 0) for point in drawn.points)


def test_runs_that_keep_nothing_of_it_fall_back_to_their_errors(tmp_path: Path) -> None:
    start = answers(400, 0.6)
    runs = [Run.open(write_run(tmp_path, f"step{k}", {"t": task(start)})) for k in (1, 2)]
    figure = {"value": corpus_value("macro_f1", start), "stderr": 0.01, "higher_is_better": True}
    bare = task(start)
    bare.corpus, bare.figure = None, figure
    runs.append(Run.open(write_run(tmp_path, "step3", {"t": bare})))
    drawn = draw_curves(runs)
    assert drawn.tasks[0].documents is None
    assert any("not paired" in note for note in drawn.notes)


@pytest.mark.parametrize(("shared", "why"), [(0, "no document was answered in all of these runs"), (1, "too few")])
def test_a_task_without_common_documents_is_not_paired_and_the_others_are(
    tmp_path: Path, shared: int, why: str
) -> None:
    """Each run has documents in common with the last, and yet all of them together have none, or one."""
    whole = answers(40, 0.6)
    first, second = whole.copy(), whole.copy()
    first[20:], second[: 20 - shared] = math.nan, math.nan
    runs = []
    for k, parts in enumerate((first, second, whole)):
        apart = task(parts)
        apart.figure = {**apart.figure, "stderr": 0.05}
        runs.append(Run.open(write_run(tmp_path, f"step{k + 1}", {"apart": apart, "common": task(whole)})))
    drawn = draw_curves(runs)
    counts = {one.name: one.documents for one in drawn.tasks}
    assert counts == {"apart": None, "common": 40}
    assert any(note.startswith("not paired: apart: ") and why in note for note in drawn.notes)
    assert all(point.low is not None for point in drawn.tasks[0].points), "from the figures' own errors"


def test_curves_of_an_f1_that_does_not_change_err_as_seldom_as_they_say() -> None:
    """Three checkpoints of one true F1, documents in clusters of 2; bench/curve.py --f1-runs does more of it."""
    dice = np.random.default_rng(8)
    changed, trials = 0, 12
    gold = np.arange(60) % 3
    for _ in range(trials):
        ease = np.repeat(dice.beta(2, 1, 30), 2)
        parts = tuple(
            np.stack([gold, np.where(dice.random(60) < ease, gold, (gold + 1) % 3)], axis=1).astype(float)
            for _ in range(3)
        )
        evidence = Resampled([Contributions("macro_f1", parts, np.repeat(np.arange(30), 2))])
        verdict = decide(evidence.values, evidence, tolerance=0.0)
        changed += bool(verdict.declined or any(verdict.against))
    assert not too_many(changed, trials)
