"""Verdicts while a run is under way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.comparison import Lines, Target, read_lines, resolve
from evalkit.errors import ConfigError, NotComparable
from evalkit.gating import EARLY_SHARE, Trial, conclude, judge, trial
from evalkit.policy import Drop, TaskPolicy
from evalkit.results import Run
from evalkit.stats import draw
from tests.helpers.early import too_many
from tests.helpers.runfolders import TaskRows, write_run


def lines_of(name: str, n: int) -> Lines:
    """The documents of a run that `write_run` makes, without values."""
    return Lines(
        task=[name] * n,
        doc_id=list(range(n)),
        doc_hash=[f"{name}-{i}" for i in range(n)],
        prompt_hash=[f"p-{name}-{i}" for i in range(n)],
        stratum=[None] * n,
        cluster=[None] * n,
        value=np.full(n, np.nan),
        flags=np.full(n, 16),
    )


def under_way(
    tmp_path: Path,
    values: Sequence[float] | np.ndarray,
    policy: TaskPolicy | None = None,
    name: str = "task",
    seed: int = 0,
    **rows: Any,
) -> Trial:
    n = len(values)
    made = TaskRows(values, hashes=[f"{name}-{i}" for i in range(n)], prompts=None, **rows)
    root = tmp_path / f"{name}-{seed}-{len(list(tmp_path.glob('*')))}"
    baseline = Run.open(write_run(root, "base", {name: made}))
    target = resolve(baseline, baseline, name)
    ours = lines_of(name, n)
    ours.prompt_hash[:] = [None] * n
    return trial(baseline, target, policy or TaskPolicy(), (read_lines(baseline, target), ours), [seed])


def go(one: Trial, values: Sequence[float | None], flags: Sequence[Sequence[str]] | None = None) -> bool:
    """One look; whether there is more to come."""
    if not one.active:
        return False
    for position in one.upcoming():
        doc_id = one.documents[position][1]
        one.record(position, values[doc_id], flags[doc_id] if flags else ())
    one.look()
    return True


def test_a_clear_drop_is_a_regression_long_before_the_end(tmp_path: Path) -> None:
    one = under_way(tmp_path, np.ones(1000))
    worse = [0.0 if i % 5 == 0 else 1.0 for i in range(1000)]
    while go(one, worse):
        judge([one], 0.95)
    (found,) = conclude([one], 0.95)
    assert (found.task.verdict, found.by) == ("regression", "sequence")
    assert found.used < 250
    assert found.of == 1000
    assert found.task.upper.value is not None
    assert found.task.upper.value < -0.01
    assert found.task.lower.value is not None
    assert found.task.lower.value < -0.2 < found.task.upper.value
    assert found.entry().not_run == 1000 - found.used


def test_an_unchanged_model_passes_before_the_end(tmp_path: Path) -> None:
    values = np.arange(2000) % 2 * 1.0
    one = under_way(tmp_path, values, TaskPolicy(max_drop=Drop(0.02)))
    while go(one, list(values)):
        judge([one], 0.95)
    (found,) = conclude([one], 0.95)
    assert (found.task.verdict, found.by) == ("pass", "sequence")
    assert found.used < 2000


def test_where_nothing_is_sure_the_gate_decides_at_the_end(tmp_path: Path) -> None:
    """A 95% bound passes this drop and a 96.25% one does: the sequence alone is not sure before the end."""
    dice = np.random.default_rng(0)
    values = dice.integers(0, 2, 600) * 1.0
    changed = [1 - v if i % 8 == 0 else v for i, v in enumerate(values)]
    one = under_way(tmp_path, values, TaskPolicy(max_drop=Drop(0.04)))
    while go(one, changed):
        assert not judge([one], 0.95)
    (found,) = conclude([one], 0.95)
    assert found.by == "gate"
    assert found.used == found.of == 600
    assert found.task.lower.level == pytest.approx(1 - (1 - EARLY_SHARE) * 0.05)
    assert found.task.verdict == "cannot_tell"
    assert found.task.needed_n


def test_a_lower_figure_can_be_the_better_one(tmp_path: Path) -> None:
    one = under_way(tmp_path, np.zeros(1000), metric="ter,none", higher_is_better=False)
    while go(one, [1.0 if i % 4 == 0 else 0.0 for i in range(1000)]):
        judge([one], 0.95)
    (found,) = conclude([one], 0.95)
    assert found.task.verdict == "regression"
    assert found.used < 300
    assert found.task.delta is not None
    assert found.task.delta > 0
    assert (found.task.upper.value or 0) < 0, "bounds point up where it is better"


def test_a_share_of_the_baseline_is_tolerated_of_the_baseline(tmp_path: Path) -> None:
    """Down from 50% to 40%: within 30% of the baseline, beyond 5% of it."""
    values = np.arange(3000) % 2 * 1.0
    worse = [0.0 if i % 10 == 1 else v for i, v in enumerate(values)]
    verdicts = []
    for share in (0.30, 0.05):
        one = under_way(tmp_path, values, TaskPolicy(max_drop=Drop(share, relative=True)))
        while go(one, worse):
            judge([one], 0.95)
        verdicts.append(conclude([one], 0.95)[0].task.verdict)
    assert verdicts == ["pass", "regression"]


def test_an_answer_that_is_not_there_is_counted_at_its_worst_for_a_pass(tmp_path: Path) -> None:
    values = np.ones(1000)
    policy = TaskPolicy(max_drop=Drop(0.05), max_rise=0.5)
    sound, broken = (under_way(tmp_path, values, policy) for _ in range(2))
    answers: list[float | None] = [None if i % 5 == 0 else 1.0 for i in range(1000)]
    for one, given_ in ((sound, [1.0] * 1000), (broken, answers)):
        while go(one, given_, [["error"] if answer is None else [] for answer in given_]):
            judge([one], 0.95)
    assert sound.sure == "pass"
    assert broken.sure is None, "a fifth of the answers could all be wrong"
    assert broken.p_below == 1.0, "or all right"


def test_trouble_with_answers_holds_a_pass_back(tmp_path: Path) -> None:
    values = np.ones(1000)
    one = under_way(tmp_path, values, TaskPolicy(max_drop=Drop(0.05)))
    flags = [["unparsed"] if i % 10 == 0 else [] for i in range(1000)]
    while go(one, [1.0] * 1000, flags):
        judge([one], 0.95)
    assert one.sure is None
    assert one.p_above < 0.001
    (found,) = conclude([one], 0.95)
    assert found.task.verdict == "regression", "ten in a hundred unparsed, where one is tolerated"


def test_a_value_beyond_the_metrics_ends_ends_the_looking(tmp_path: Path) -> None:
    one = under_way(tmp_path, np.ones(1000))
    assert go(one, [1.5] * 1000)
    assert one.in_full
    assert "1.5" in one.in_full
    assert not judge([one], 0.95)
    assert not one.active


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({"values": np.full(500, -3.0), "metric": "perplexity,none"}, "no known ends"),
        ({"values": np.arange(500) % 2 * 1.0, "figure": 0.73}, "no mean"),
        ({"values": np.ones(40)}, "too few"),
    ],
)
def test_what_can_not_be_bounded_runs_in_full_and_says_why(tmp_path: Path, rows: dict[str, Any], why: str) -> None:
    values = rows.pop("values")
    one = under_way(tmp_path, values, **rows)
    assert one.in_full
    assert why in one.in_full
    assert len(one.upcoming()) == len(values)


def test_other_documents_are_refused(tmp_path: Path) -> None:
    baseline = Run.open(write_run(tmp_path, "base", {"task": TaskRows(np.ones(100))}))
    target = Target("task", ("task",), "exact_match,strict-match")
    with pytest.raises(NotComparable, match="not the documents"):
        trial(baseline, target, TaskPolicy(), (read_lines(baseline, target), lines_of("other", 100)), [0])


def test_a_tolerance_that_nothing_exceeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tolerates everything"):
        under_way(tmp_path, np.ones(100), TaskPolicy(max_drop=Drop(2.0)))


def test_a_regression_is_corrected_for_all_that_are_looked_at(tmp_path: Path) -> None:
    alone, *others = (under_way(tmp_path, np.ones(500), name=f"t{i}") for i in range(6))
    alone.p_below = 0.9 * EARLY_SHARE * 0.05
    assert not judge([alone, *others], 0.95)
    advisory = [under_way(tmp_path, np.ones(500), TaskPolicy(tier="advisory"), name=f"a{i}") for i in range(5)]
    assert judge([alone, *advisory], 0.95) == [alone], "advisory tasks are a family of their own"


def test_five_tasks_at_their_tolerance_fail_together_hardly_ever(tmp_path: Path) -> None:
    """The whole of it, end included: any REGRESSION among five is an error. Documents are a sample each time."""
    runs, errors = 24, 0
    dice = np.random.default_rng(21)
    trials = [under_way(tmp_path, np.ones(150), TaskPolicy(max_drop=Drop(0.1)), name=f"t{i}") for i in range(5)]
    for seed in range(runs):
        for one in trials:
            one.drawing, one.done, one.sure, one.p_above, one.p_below = draw(150, seed=[seed, 1]), 0, None, 1.0, 1.0
        answers = dice.choice([0.0, 1.0], p=[0.1, 0.9], size=(5, 150))
        while sum(go(one, list(given_)) for one, given_ in zip(trials, answers, strict=True)):
            judge(trials, 0.95)
        errors += any(found.task.verdict == "regression" for found in conclude(trials, 0.95))
    assert not too_many(errors, runs)
