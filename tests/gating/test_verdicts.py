"""The gate's three verdicts over one task and many, with answers missing and with a noise run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from evalkit.gating import TaskVerdict, gate
from evalkit.results import Run
from evalkit.stats import decision_probability, mover_limits
from tests.helpers.gates import GSM8K, both, changed, judge, values
from tests.helpers.runfolders import TaskRows, write_run

# ── the three verdicts ─────────────────────────────────────────────────────────


def test_no_change_on_a_large_task_passes(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(base))
    assert task.verdict == "pass"
    assert task.delta == 0
    assert task.lower.level == pytest.approx(0.95)
    assert task.lower.value == pytest.approx(-(1 - 0.05 ** (1 / GSM8K)))
    assert task.needed_n is None


def test_a_large_drop_is_a_regression(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 99, 33)))
    assert task.verdict == "regression"
    assert task.delta == pytest.approx(-66 / GSM8K)
    assert (task.lost, task.gained, task.n) == (99, 33, GSM8K)
    assert task.p < 1e-4
    assert task.upper.value is not None
    assert task.upper.value < -0.01


def test_a_small_task_cannot_tell_and_says_what_it_takes(tmp_path: Path) -> None:
    base = values(164, 50)
    task = judge(tmp_path, TaskRows(base), TaskRows(base))
    assert task.verdict == "cannot_tell"
    # No flip at all: a pass takes as many documents as make 1% unlikely not to be seen.
    assert task.needed_n == 299
    assert any("needs about 299 documents, has 164" in reason for reason in task.reasons)
    assert judge(tmp_path, TaskRows(base), TaskRows(base), {"gsm8k": {"max_drop": 0.02}}).verdict == "pass"


def test_one_document_tells_nothing(tmp_path: Path) -> None:
    for one, other in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0)):
        assert judge(tmp_path, TaskRows([one]), TaskRows([other])).verdict == "cannot_tell"


def test_everything_lost_is_a_regression_even_without_spread(tmp_path: Path) -> None:
    task = judge(tmp_path, TaskRows(np.ones(100)), TaskRows(np.zeros(100)))
    assert task.verdict == "regression"
    assert task.delta == -1.0


def test_the_needed_number_settles_it_four_times_in_five(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)))
    assert task.verdict == "cannot_tell"
    assert task.needed_n is not None
    power = decision_probability(task.needed_n, 66 / GSM8K, 66 / GSM8K, tolerance=0.01, side="pass")
    assert power == pytest.approx(0.8, abs=0.02)


def test_a_drop_on_the_tolerance_says_what_a_pass_would_take(tmp_path: Path) -> None:
    base = values(1000, 500)
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 35, 25)))
    assert task.verdict == "cannot_tell"
    assert task.delta == pytest.approx(-0.01)
    assert task.needed_n is not None


def test_lower_is_better_is_judged_in_its_own_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    loss = rng.normal(3, 0.5, 2000)
    noise = rng.normal(0, 0.05, 2000)
    policy = {"lm": {"max_drop": 0.05}}

    def verdict(shift: float) -> TaskVerdict:
        rows = [TaskRows(x, "bits_per_byte,none", higher_is_better=False) for x in (loss, loss + noise + shift)]
        return judge(tmp_path, *rows, policy, task="lm")

    worse, better = verdict(+0.2), verdict(-0.2)
    assert (worse.verdict, better.verdict) == ("regression", "pass")
    assert worse.delta == pytest.approx(0.2, abs=0.01)
    assert worse.ci95 is not None
    assert worse.ci95[0] < worse.delta < worse.ci95[1]


def test_a_relative_drop_is_judged_on_its_interval(tmp_path: Path) -> None:
    base = values(4000, 2000)
    other = changed(base, 60, 20)  # one point, two per cent of the baseline
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "2%"}}).verdict == "cannot_tell"
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "4%"}}).verdict == "pass"
    task = judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": "0.5%"}})
    assert task.verdict == "regression"
    assert task.tolerance == pytest.approx(0.0025)
    # The same amount, written as a number, has the same verdict.
    assert judge(tmp_path, TaskRows(base), TaskRows(other), {"gsm8k": {"max_drop": 0.0025}}).verdict == "regression"


# ── tiers and many tasks ───────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "open_", "verdict", "code"),
    [
        ("critical", "critical", "regression", 1),
        ("supporting", "critical", "regression", 1),
        ("advisory", "critical", "cannot_tell", 3),
        ("advisory", "supporting", "pass", 0),
        ("advisory", "advisory", "pass", 0),
    ],
)
def test_tiers_decide_what_counts(tmp_path: Path, bad: str, open_: str, verdict: str, code: int) -> None:
    base = values(GSM8K, 600)
    small = values(50, 20)
    result = both(
        tmp_path,
        {"fine": TaskRows(base), "bad": TaskRows(base), "open": TaskRows(small)},
        {"fine": TaskRows(base), "bad": TaskRows(changed(base, 150, 0)), "open": TaskRows(small)},
        {"fine": {}, "bad": {"tier": bad}, "open": {"tier": open_}},
    )
    assert [task.verdict for task in result.tasks] == ["pass", "regression", "cannot_tell"]
    assert (result.verdict, result.exit_code) == (verdict, code)


def test_regressions_are_holm_corrected_and_passes_are_not(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    # A drop that one test alone would call, at p just below 5%.
    lost = next(k for k in range(30, 200) if mover_limits(k, 20, GSM8K, 0.05)[1] < -0.01)
    doubtful = TaskRows(changed(base, lost, 20))
    assert judge(tmp_path, TaskRows(base), doubtful).verdict == "regression"
    others = {f"t{i}": TaskRows(base) for i in range(4)}
    moved = {f"t{i}": TaskRows(changed(base, 20, 20)) for i in range(4)}
    result = both(tmp_path, {"gsm8k": TaskRows(base), **others}, {"gsm8k": doubtful, **moved})
    first, *rest = result.tasks
    assert first.verdict == "cannot_tell"
    assert first.p < 0.05 < first.p_holm == pytest.approx(5 * first.p)
    assert first.upper.level == pytest.approx(1 - 0.05 / 5)
    assert first.lower.level == pytest.approx(0.95)
    assert {task.verdict for task in rest} == {"pass"}


def test_tests_that_could_not_fail_cost_the_others_nothing(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    still = {f"t{i}": TaskRows(base) for i in range(6)}
    result = both(tmp_path, {"gsm8k": TaskRows(base), **still}, {"gsm8k": TaskRows(changed(base, 60, 20)), **still})
    assert result.tasks[0].p_holm == result.tasks[0].p


def test_a_group_is_judged_once_over_its_strata(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    members = {f"mmlu_{i}": (rng.random(246) < 0.3 + i / 120).astype(float) for i in range(57)}
    moved = {name: np.where(rng.random(246) < 0.04, 1 - v, v) for name, v in members.items()}

    def run(name: str, tasks: Mapping[str, np.ndarray]) -> Run:
        rows = {task: TaskRows(v, "acc,none", stratum=task) for task, v in tasks.items()}
        return Run.open(write_run(tmp_path, name, rows, groups={"mmlu": list(tasks)}))

    result = gate(run("a", members), run("b", moved))
    (task,) = result.tasks
    assert (task.name, task.n, len(task.members)) == ("mmlu", 57 * 246, 57)
    d = np.concatenate(list(moved.values())) - np.concatenate(list(members.values()))
    assert task.delta == pytest.approx(d.mean())
    by_stratum = np.sqrt(sum((1 / 57) ** 2 * np.var(moved[m] - members[m], ddof=1) / 246 for m in members))
    assert task.ci95 is not None
    assert (task.ci95[1] - task.ci95[0]) / 2 == pytest.approx(1.96 * by_stratum, rel=0.02)


def test_clusters_widen_the_bounds(tmp_path: Path) -> None:
    """The same 100 changes: alone, or twenty at a time because they share a source."""
    base = np.ones(2000)
    other = base.copy()
    other[:100] = 0.0
    alone = judge(tmp_path, TaskRows(base), TaskRows(other), {"hs": {"max_drop": 0.03}}, task="hs")
    sources = [f"s{i // 20}" for i in range(2000)]
    rows = [TaskRows(x, clusters=sources) for x in (base, other)]
    shared = judge(tmp_path, *rows, {"hs": {"max_drop": 0.03}}, task="hs")
    assert alone.verdict == "regression"
    assert shared.verdict == "cannot_tell"
    assert alone.upper.value is not None
    assert shared.upper.value is not None
    assert shared.upper.value > alone.upper.value


# ── answers that are not there, or not readable ────────────────────────────────


def test_missing_rows_are_bounded_by_their_worst_case(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    gone = base.copy()
    gone[:12] = np.nan  # right before; were they lost, it is 0.9 points
    task = judge(tmp_path, TaskRows(base), TaskRows(gone))
    assert task.verdict == "cannot_tell"
    assert task.missing_candidate == 12
    assert task.lower.value is not None
    assert task.lower.value < -12 / GSM8K
    few = base.copy()
    few[:2] = np.nan
    assert judge(tmp_path, TaskRows(base), TaskRows(few)).verdict == "pass"


def test_documents_whose_rows_are_gone_count_as_missing(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    hashes = [f"gsm8k-{i}" for i in range(GSM8K)]
    kept = TaskRows(base[12:], hashes=hashes[12:])
    task = judge(tmp_path, TaskRows(base), kept)
    assert task.verdict == "cannot_tell"
    assert task.unpaired.only_baseline == 12


def test_many_missing_answers_are_a_regression_of_their_own(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    gone = base.copy()
    gone[-200:] = np.nan  # all of them wrong before, so that the metric only gains
    task = judge(tmp_path, TaskRows(base), TaskRows(gone))
    assert task.verdict == "regression"
    missing = next(flag for flag in task.flags if flag.kind == "missing")
    assert (missing.verdict, missing.candidate) == ("regression", 200)


def test_missing_values_of_an_unbounded_metric_bound_nothing(tmp_path: Path) -> None:
    x = np.linspace(2, 4, 500)
    y = x.copy()
    y[0] = np.nan
    rows = [TaskRows(v, "perplexity,none", higher_is_better=False) for v in (x, y)]
    task = judge(tmp_path, *rows, {"lm": {"max_drop": 0.5}}, task="lm")
    assert task.verdict == "cannot_tell"
    assert task.lower.value is None


@pytest.mark.parametrize("kind", ["cut", "unfinished", "unparsed"])
def test_answers_in_trouble_are_gated_though_the_metric_holds(tmp_path: Path, kind: str) -> None:
    base = values(GSM8K, 600)
    flags = dict.fromkeys(range(1200, 1300), kind)  # wrong before and after
    task = judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags))
    assert task.verdict == "regression"
    found = next(flag for flag in task.flags if flag.kind == kind)
    assert (found.baseline, found.candidate) == (0, 100)
    assert any(f"{kind} answers: 0 → 100" in reason for reason in task.reasons)
    assert judge(tmp_path, TaskRows(base, flags=flags), TaskRows(base)).verdict == "pass"
    tolerant = {"gsm8k": {"max_rise": 0.1}}
    assert judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags), tolerant).verdict == "pass"


def test_a_rise_that_is_not_settled_is_not_passed(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    flags = dict.fromkeys(range(1200, 1216), "unparsed")
    task = judge(tmp_path, TaskRows(base), TaskRows(base, flags=flags))
    assert task.verdict == "cannot_tell"
    assert task.needed_n is not None


# ── the noise floor ────────────────────────────────────────────────────────────


def test_the_noise_floor_stands_beside_the_flips(tmp_path: Path) -> None:
    base = values(GSM8K, 600)
    again = Run.open(write_run(tmp_path, "again", {"gsm8k": TaskRows(changed(base, 20, 20))}))
    task = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)), noise=again)
    assert task.noise is not None
    assert task.noise.flip_rate == pytest.approx(40 / GSM8K)
    assert any("two runs of the baseline flip 3.0%" in reason for reason in task.reasons)
    noisy = Run.open(write_run(tmp_path, "noisy", {"gsm8k": TaskRows(changed(base, 65, 65))}))
    repeated = judge(tmp_path, TaskRows(base), TaskRows(changed(base, 66, 66)), noise=noisy)
    assert repeated.needed_repeats is not None
    assert any("answers per document" in reason for reason in repeated.reasons)


def test_a_noise_run_without_the_task_is_said(tmp_path: Path) -> None:
    again = Run.open(write_run(tmp_path, "again", {"other": TaskRows([1.0])}))
    base = values(GSM8K, 600)
    result = both(tmp_path, {"gsm8k": TaskRows(base)}, {"gsm8k": TaskRows(base)}, noise=again)
    assert any("no noise floor for gsm8k" in note for note in result.notes)
