"""What a judge's error does to compare and gate: corrected by people's labels, and said where nothing corrects it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import evalkit as ek
from evalkit.errors import NotComparable, UsageError
from evalkit.stats.powered import powered_difference
from tests.helpers.runfolders import TaskRows, write_run

METRIC = "quality,one@j:x"


def judged(values: np.ndarray, fingerprint: str = "f1", rubric: str = "h1") -> TaskRows:
    figure = {
        "value": float(values.mean()),
        "higher_is_better": True,
        "scale": [0, 1],
        "rubric": {"id": "one", "version": 1, "hash": rubric},
        "judge": [{"name": "j:x", "fingerprint": fingerprint}],
        "fingerprint": fingerprint,
    }
    return TaskRows(values, metric=METRIC, figure=figure)


def labels(path: Path, people: dict[str, np.ndarray], chosen: np.ndarray) -> Path:
    rows = [
        {"item": f"chat/{i}|{name}", "dimension": "quality", "human": float(values[i])}
        for name, values in people.items()
        for i in chosen
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def worlds(n: int = 600) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """People find both models alike; the judge misses a third of the second one's good answers."""
    rng = np.random.default_rng(3)
    good = (rng.random(n) < 0.7).astype(float)
    people = {"base": good, "tuned": good.copy()}
    judge = {"base": good, "tuned": good * (rng.random(n) < 0.7)}
    return people, judge


def test_a_harsher_judge_makes_a_regression_that_labels_take_back(tmp_path: Path) -> None:
    people, judge = worlds()
    for name, values in judge.items():
        write_run(tmp_path, name, {"chat": judged(values)}, model=name)
    policy = {"tasks": {"chat": {"metric": METRIC, "max_drop": 0.1}}}
    alone = ek.gate("base", "tuned", output_path=tmp_path, policy=policy)
    assert alone.verdict == "regression"
    assert any("as j:x sees it" in note for note in alone.notes)

    chosen = np.random.default_rng(1).permutation(600)[:150]
    file = labels(tmp_path / "labels.jsonl", people, chosen)
    corrected = ek.gate("base", "tuned", output_path=tmp_path, policy=policy, labels=file)
    assert corrected.verdict == "pass"
    assert any("corrected by 150 documents" in note for note in corrected.notes)
    assert not any("sees it" in note for note in corrected.notes)

    compared = ek.compare("base", "tuned", output_path=tmp_path, labels=file).frame().iloc[0]
    assert compared["low"] < 0 < compared["high"]
    assert compared["high"] - compared["low"] < 0.2
    assert abs(compared["baseline"] - 0.7) < 0.1


def test_labels_name_runs_where_both_are_of_one_model(tmp_path: Path) -> None:
    people, judge = worlds(100)
    for name, values in judge.items():
        write_run(tmp_path, name, {"chat": judged(values)}, model="same")
    by_run = labels(tmp_path / "labels.jsonl", people, np.arange(40))
    compared = ek.compare("base", "tuned", output_path=tmp_path, labels=by_run)
    assert any("corrected by 40 documents" in note for note in compared.notes)
    by_model = labels(tmp_path / "model.jsonl", {"same": people["base"]}, np.arange(40))
    with pytest.raises(UsageError, match="0 documents of chat have a label"):
        ek.compare("base", "tuned", output_path=tmp_path, labels=by_model)


def test_another_judge_or_rubric_is_never_compared_silently(tmp_path: Path) -> None:
    values = np.ones(30)
    write_run(tmp_path, "a", {"chat": judged(values)}, model="a")
    write_run(tmp_path, "b", {"chat": judged(values, fingerprint="f2")}, model="b")
    write_run(tmp_path, "c", {"chat": judged(values, rubric="h2")}, model="c")
    for other in ("b", "c"):
        with pytest.raises(NotComparable, match="another judge or rubric"):
            ek.compare("a", other, output_path=tmp_path)
        with pytest.raises(NotComparable, match="another judge or rubric"):
            ek.gate("a", other, output_path=tmp_path)
    meant = ek.compare("a", "b", output_path=tmp_path, allow="judge")
    assert any("differs on purpose" in note for note in meant.notes)


def test_labels_for_what_no_judge_gave_are_refused(tmp_path: Path) -> None:
    people, _ = worlds(50)
    for name, values in people.items():
        write_run(tmp_path, name, {"chat": TaskRows(values)}, model=name)
    file = labels(tmp_path / "labels.jsonl", people, np.arange(40))
    for verb in (ek.compare, ek.gate):
        with pytest.raises(UsageError, match="given by a judge"):
            verb("base", "tuned", output_path=tmp_path, labels=file)


def test_a_perfect_judge_leaves_the_difference_and_a_useless_one_leaves_people_s_alone() -> None:
    rng = np.random.default_rng(2)
    n = 400
    people = [(rng.random(n) < p).astype(float) for p in (0.6, 0.5)]
    seen = [np.where(np.arange(n) < 100, values, np.nan) for values in people]
    perfect = powered_difference(*people, *seen, scale=1.0)
    assert perfect.power > 0.7
    assert perfect.stderr < np.std(people[1][:100] - people[0][:100]) / 10
    noise = [rng.random(n) for _ in range(2)]
    useless = powered_difference(*noise, *seen, scale=1.0)
    assert useless.power < 0.3
    assert useless.delta == pytest.approx((people[1][:100] - people[0][:100]).mean(), abs=0.05)
    assert useless.lower(0.95) < useless.delta < useless.upper(0.95)
    assert useless.upper(0.99) > useless.upper(0.95)


def test_intervals_hold_the_truth_whatever_the_judge_does() -> None:
    held = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        people = [(rng.random(400) < p).astype(float) for p in (0.6, 0.55)]
        # Sensitivity .7 and .6, specificity .8.
        judge = [
            np.where(y > 0, rng.random(400) < s, rng.random(400) < 0.2).astype(float)
            for y, s in zip(people, (0.7, 0.6), strict=True)
        ]
        seen = [np.where(np.arange(400) < 100, y, np.nan) for y in people]
        held += -0.05 in powered_difference(*judge, *seen, scale=1.0).interval()
    assert held >= 135
