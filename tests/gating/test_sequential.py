"""Stopping early: the drawing, bounds that hold at any time, verdicts while a run is under way, and the run itself."""

from __future__ import annotations

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import evalkit
from evalkit.cli.run import command
from evalkit.comparison import Lines, Target, compare, read_lines, resolve
from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.engines.mock import MockEngine
from evalkit.errors import ConfigError, EvalkitError, NotComparable, UnknownModel, UnknownTask, UsageError
from evalkit.gating import EARLY_SHARE, Trial, conclude, gate, judge, trial
from evalkit.policy import Drop, Policy, TaskPolicy
from evalkit.ranking import leaderboard
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.runner import EarlyGate, Outcome, run
from evalkit.stats import ConfidenceSequence, Drawing, draw, log_capital, looks, stakes
from tests.conftest import ROOT
from tests.helpers.runfolders import TaskRows, results_of, write_run

ALPHA = 0.05


def too_many(errors: int, runs: int, alpha: float = ALPHA) -> bool:
    """Whether so many errors can't be chance: one in ten thousand if each has probability `alpha`."""
    return bool(binom.sf(errors - 1, runs, alpha) < 1e-4)


# ── the drawing ──────────────────────────────────────────────────────────────


@given(st.integers(48, 400), st.integers(1, 6), st.integers(1, 60), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_document_is_drawn_once_and_units_stay_whole(
    n: int, strata: int, sources: int, clustered: bool, seed: int
) -> None:
    labels = [f"s{i % strata}" for i in range(n)]
    clusters = [None if i % 3 else f"c{i % sources}" for i in range(n)] if clustered else None
    drawing = draw(n, seed=seed, strata=labels, clusters=clusters)
    assert sorted(np.concatenate(drawing.order)) == list(range(n))
    round_of = {int(i): number for number, order in enumerate(drawing.order) for i in order}
    for i in range(n):
        for j in range(i + 1, n):
            if clusters and clusters[i] is not None and clusters[i] == clusters[j] and labels[i] == labels[j]:
                assert round_of[i] == round_of[j], "a source is drawn as one"
    again = draw(n, seed=seed, strata=labels, clusters=clusters)
    assert all(np.array_equal(a, b) for a, b in zip(drawing.order, again.order, strict=True))


def test_strata_come_in_proportion_at_the_end_of_every_round() -> None:
    strata = np.repeat([0, 1, 2], [1400, 500, 100])
    shuffled = np.random.default_rng(0).permutation(strata)
    drawing = draw(2000, seed=5, strata=shuffled)
    for done in range(1, drawing.rounds + 1):
        drawn = shuffled[drawing.drawn(done)]
        expected = np.array([1400, 500, 100]) * done / drawing.rounds
        # Two slots straddle two strata each, and a few places are empty.
        assert np.all(np.abs(np.bincount(drawn, minlength=3) - expected) <= 4 + math.sqrt(done) * 2)


def test_another_seed_draws_another_order_and_each_document_is_first_alike() -> None:
    first = np.zeros(240)
    for seed in range(2000):
        first[draw(240, seed=seed).order[0]] += 1
    share = first / 2000
    assert abs(share.mean() - 0.1) < 0.002
    assert share.min() > 0.07
    assert share.max() < 0.13


def test_looks_are_few_and_end_with_the_last_round() -> None:
    assert looks(1) == [1]
    assert looks(40)[-1] == 40
    assert len(looks(40)) < 20
    assert all(a < b for a, b in zip(looks(40), looks(40)[1:], strict=False))


# ── the capital ──────────────────────────────────────────────────────────────


def by_hand(units: Sequence[Sequence[float]], lowest: float, slots: int, rounds: int | None, share: float) -> float:
    """One stake, unit by unit, from the definition."""
    capital, drawn, places = 1.0, 0.0, 0
    best = 1.0
    for values in units:
        z = 0.0 if rounds is None else -drawn / (slots * rounds - places)
        stake = min(share / -lowest, 0.9 / (z - lowest))
        for value in [*values, *[0.0] * (slots - len(values))]:
            capital *= 1 + stake * (value - z)
        drawn, places = drawn + sum(values), places + slots
        best = max(best, capital)
    return math.log(best)


@pytest.mark.parametrize("rounds", [6, None])
def test_capital_is_the_product_of_the_paper(rounds: int | None) -> None:
    dice = np.random.default_rng(3)
    units = [list(dice.choice([-0.95, 0.05, 1.05], size=int(dice.integers(5, 8)))) for _ in range(4)]
    values = np.array([-0.95, 0.05, 1.05])
    counts = [[sum(abs(u - v) < 1e-9 for u in one) for v in values] for one in units]
    for share in (0.9, 0.3, 0.02):
        found = log_capital(values, counts, lowest=-0.95, slots=7, rounds=rounds, shares=[share])
        assert found[-1] == pytest.approx(by_hand(units, -0.95, 7, rounds, share), abs=1e-9)


def rejected(values: np.ndarray, drawing: Drawing, side: int) -> bool:
    sequence = ConfidenceSequence(drawing, np.full(values.size, values.min()), np.full(values.size, values.max()))
    p = sequence.p_above(values, drawing.rounds) if side > 0 else sequence.p_below(values, drawing.rounds)
    return p <= ALPHA


@pytest.mark.parametrize("clustered", [False, True], ids=["documents", "sources"])
@pytest.mark.parametrize("side", [+1, -1], ids=["above", "below"])
def test_a_fixed_set_whose_mean_is_the_hypothesis_is_hardly_ever_rejected(side: int, clustered: bool) -> None:
    """The mean of this set is 0 exactly; strata differ; some values are rare and large."""
    n, runs = 240, 400
    dice = np.random.default_rng(11)
    strata = np.arange(n) % 5
    values = np.where(dice.random(n) < 0.15, dice.choice([-1.0, 1.0], size=n), 0.0) + (strata - 2) * 0.05
    clusters = [f"c{i // 3}" for i in range(n)] if clustered else None
    values -= values.mean()
    errors = sum(rejected(values, draw(n, seed=seed, strata=strata, clusters=clusters), side) for seed in range(runs))
    assert not too_many(errors, runs)


@pytest.mark.parametrize("side", [+1, -1], ids=["above", "below"])
def test_a_population_whose_mean_is_the_hypothesis_is_hardly_ever_rejected(side: int) -> None:
    n, runs = 240, 400
    dice = np.random.default_rng(12)
    errors = 0
    for seed in range(runs):
        values = dice.choice([-1.0, 0.0, 1.0], p=[0.06, 0.88, 0.06], size=n)
        errors += rejected(values, draw(n, seed=seed), side)
    assert not too_many(errors, runs)


def test_sources_that_stand_or_fall_together_are_counted_as_one() -> None:
    """Of a population of sources with six documents each, all alike: taken one by one, they would claim too much."""
    sources, runs = 80, 300
    dice = np.random.default_rng(16)
    labels = np.repeat([f"c{i}" for i in range(sources)], 6)
    together, apart = 0, 0
    for seed in range(runs):
        values = np.repeat(dice.choice([-1.0, 0.0, 1.0], p=[0.15, 0.7, 0.15], size=sources), 6)
        together += rejected(values, draw(values.size, seed=seed, clusters=labels), -1)
        apart += rejected(values, draw(values.size, seed=seed), -1)
    assert not too_many(together, runs)
    assert too_many(apart, runs)


def test_the_fixed_set_alone_would_err_about_its_population() -> None:
    """Why both meanings are held to: of its own mean, the set is sure in the end, whatever it stands for."""
    n, runs, errors = 240, 300, 0
    dice = np.random.default_rng(13)
    for seed in range(runs):
        values = dice.choice([-1.0, 0.0, 1.0], p=[0.06, 0.88, 0.06], size=n)
        drawing = draw(n, seed=seed)
        totals, _, counts = drawing.tally(values, drawing.rounds)
        found = log_capital(totals, counts, lowest=-1.0, slots=drawing.slots, rounds=drawing.rounds, shares=stakes(n))
        errors += bool(found[-1] > -math.log(ALPHA))
    assert too_many(errors, runs)


def test_the_interval_holds_the_mean_at_all_times_at_once() -> None:
    n, runs, misses = 240, 60, 0
    dice = np.random.default_rng(14)
    values = np.clip(dice.normal(0.05, 0.3, size=n), -1, 1)
    mean = float(values.mean())
    for seed in range(runs):
        drawing = draw(n, seed=seed)
        sequence = ConfidenceSequence(drawing, np.full(n, -1.0), np.full(n, 1.0))
        # Below and above the mean: rejecting the mean itself is what it means to miss it.
        misses += any(
            min(sequence.p_above(values, done, mean), sequence.p_below(values, done, mean)) <= ALPHA / 2
            for done in (1, 2, 4, 8, drawing.rounds)
        )
    assert not too_many(misses, runs)


def test_the_interval_is_where_the_p_value_crosses_and_shrinks() -> None:
    dice = np.random.default_rng(15)
    values = dice.choice([-1.0, 0.0, 1.0], p=[0.1, 0.85, 0.05], size=1200)
    drawing = draw(1200, seed=1)
    sequence = ConfidenceSequence(drawing, np.full(1200, -1.0), np.full(1200, 1.0))
    widths = []
    for done in (2, 10, drawing.rounds):
        low, high = sequence.lower(values, done, 0.05), sequence.upper(values, done, 0.05)
        assert sequence.p_above(values, done, low - 1e-3) < 0.05 < sequence.p_above(values, done, low + 1e-3)
        assert sequence.p_below(values, done, high + 1e-3) < 0.05 < sequence.p_below(values, done, high - 1e-3)
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]
    assert low < values.mean() < high


# ── the requirement, smaller than bench/early_stop.py does it ────────────────


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "bench"))
    yield importlib.import_module("early_stop")
    sys.path.remove(str(ROOT / "bench"))


@pytest.mark.parametrize("changed", [0.05, 0.15])
def test_a_drop_of_five_points_shows_in_a_quarter_of_mmlu(bench: Any, changed: float) -> None:
    found = bench.simulate(60, 0.05, changed, population=False, seed=1)
    assert found.regression == 1.0
    assert found.used_mean <= 0.25


@pytest.mark.parametrize("population", [False, True])
def test_a_drop_at_the_tolerance_is_hardly_ever_decided(bench: Any, population: bool) -> None:
    runs = 300
    found = bench.simulate(runs, 0.01, 0.10, population=population, seed=2)
    assert not too_many(round(found.ever_regression * runs), runs)
    assert not too_many(round(found.ever_passed * runs), runs)


def test_looking_with_the_gates_own_bounds_would_not_hold(bench: Any) -> None:
    """The two tests above can fail: this is what they would see without a confidence sequence."""
    runs = 300
    found = bench.simulate(runs, 0.01, 0.10, population=True, seed=2)
    assert too_many(round(found.peeking_regression * runs), runs)
    assert too_many(round(found.peeking_passed * runs), runs)


# ── targets under way ────────────────────────────────────────────────────────


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


# ── the run itself ───────────────────────────────────────────────────────────

NANO = Path(evalkit.__file__).parent / "_models" / "nano"


@pytest.fixture
def corridor(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """`evalkit run` with the mock engine's canned answers; everything else is real."""
    monkeypatch.setattr("evalkit.runner.preparing.choose", lambda *asked: mock.SPEC)

    def go_through(against: EarlyGate | None = None, **asked: Any) -> list[Outcome]:
        flags = {"model": str(tiny_model), "tasks": "mini_knowledge,mini_arithmetic", "output_path": tmp_path / "runs"}
        return run(RunConfig.build(**{**flags, **asked}), Heard(), report, against)

    return go_through


class Heard(Progress):
    def note(self, text: str) -> None:
        pass


@pytest.fixture
def perfect(corridor: Callable[..., list[Outcome]]) -> Run:
    """A baseline that the mock's guesses are far below: its own run, with every document of mini_knowledge right."""
    (outcome,) = corridor(name="base")
    return with_values(outcome.path, "mini_knowledge", "acc,none", 1.0)


def with_values(path: Path, task: str, metric: str, value: float) -> Run:
    table = pq.read_table(path / "scores.parquet")
    chosen = [name == task for name in table.column("task").to_pylist()]
    values = [value if mine else old for mine, old in zip(chosen, table.column("value").to_pylist(), strict=True)]
    table = table.set_column(table.column_names.index("value"), "value", pa.array(values, pa.float64()))
    pq.write_table(table, path / "scores.parquet")
    results = json.loads((path / "results.json").read_text())
    results["tasks"][task]["metrics"][metric]["value"] = value
    (path / "results.json").write_text(json.dumps(results))
    return Run.open(path)


def policy(**tasks: float) -> Policy:
    return Policy(tasks={name: TaskPolicy(max_drop=Drop(drop)) for name, drop in tasks.items()})


def prefix(baseline: Run, outcome: Outcome, task: str) -> list[int]:
    """The doc_ids that the recorded seed draws first, as many rounds as the run says it took."""
    said = results_of(outcome)["early_stopping"]["tasks"][task]
    found = {
        (row["doc_id"], row["stratum"], row["cluster"]) for row in baseline.scores().to_pylist() if row["task"] == task
    }
    documents = sorted(found)
    seed = json.loads((outcome.path / "manifest.json").read_text())["against"]["seed"]
    drawing = draw(
        len(documents),
        seed=[seed, zlib.crc32(task.encode())],
        strata=[f"{task}\0{stratum or ''}" for _, stratum, _ in documents],
        clusters=[cluster for *_, cluster in documents],
    )
    assert drawing.rounds == said["rounds_of"]
    return [documents[i][0] for i in drawing.drawn(said["rounds"])]


def asked_documents(outcome: Outcome, task: str) -> list[int]:
    return [row["doc_id"] for row in Run.open(outcome.path).rows(task)]


def test_a_run_stops_where_it_is_sure_and_says_so(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), name="worse", seed="7", fresh=True)
    assert outcome.exit_code == 1
    results, manifest = results_of(outcome), json.loads((outcome.path / "manifest.json").read_text())
    said = results["early_stopping"]["tasks"]["mini_knowledge"]
    assert results["early_stopping"]["verdict"] == said["verdict"] == "regression"
    assert said["n"] < 200
    assert (said["of"], said["not_run"]) == (400, 400 - said["n"])
    assert manifest["early_stopping"] == results["early_stopping"]
    assert manifest["against"]["run_id"] == "base"
    assert manifest["against"]["seed"] == 7
    assert results["status"] == "partial"
    assert results["tasks"]["mini_knowledge"]["not_run"] == said["not_run"]
    assert results["tasks"]["mini_knowledge"]["n"] == said["n"]
    assert results["tasks"]["mini_knowledge"]["missing"] == 0
    assert results["tasks"]["mini_arithmetic"]["not_run"] == 0, "what the policy does not judge runs in full"
    assert sorted(prefix(perfect, outcome, "mini_knowledge")) == asked_documents(outcome, "mini_knowledge")
    text = (outcome.path / "report.md").read_text()
    assert "PARTIAL" in text
    assert f"{said['n']} of 400" in text
    assert "REGRESSION" in text


def test_only_the_documents_drawn_are_asked_for(
    corridor: Callable[..., list[Outcome]], perfect: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[MockEngine] = []

    def load(*args: Any, **options: Any) -> MockEngine:
        engines.append(MockEngine())
        return engines[-1]

    monkeypatch.setattr("evalkit.engines.mock.load", load)
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), tasks="mini_knowledge", fresh=True)
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert len(engines) == 1, "one engine for all rounds"
    assert said["n"] <= len(engines[0].sent) / 4 + 8, "four choices each; equal documents are asked once"
    assert len(engines[0].sent) <= said["n"] * 4


def test_a_candidate_that_is_the_baseline_passes(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge")
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.1))
    (outcome,) = corridor(against, name="same", tasks="mini_knowledge")
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (outcome.exit_code, said["verdict"], said["by"]) == (0, "pass", "sequence")
    assert said["n"] < 400


def test_where_nothing_is_sure_the_run_is_complete(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge")
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.001))
    (outcome,) = corridor(against, name="open", tasks="mini_knowledge")
    assert outcome.exit_code == 3
    assert results_of(outcome)["status"] == "complete"
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (said["verdict"], said["by"], said["not_run"]) == ("cannot_tell", "gate", 0)
    assert gate(Run.open(base.path), Run.open(outcome.path)).tasks[0].n == 400, "a whole run is judged as any other"


def test_what_can_not_fall_further_passes_at_the_first_look(corridor: Callable[..., list[Outcome]]) -> None:
    """The mock gets no sum right, in either run: no answer can be worse."""
    (base,) = corridor(name="base", tasks="mini_arithmetic")
    against = EarlyGate(Run.open(base.path), policy(mini_arithmetic=0.001))
    (outcome,) = corridor(against, name="same", tasks="mini_arithmetic")
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_arithmetic"]
    assert (said["verdict"], said["rounds"]) == ("pass", 1)


def test_a_run_that_died_goes_on_with_the_same_order(
    corridor: Callable[..., list[Outcome]], perfect: Run, tmp_path: Path
) -> None:
    against = EarlyGate(perfect, policy(mini_knowledge=0.05))
    (calm,) = corridor(against, name="calm", fresh=True, output_path=tmp_path / "calm")
    (died,) = corridor(against, name="x", output_path=tmp_path / "x", model_args="die_after=60")
    assert died.exit_code == 4
    assert results_of(died)["status"] == "incomplete"
    assert results_of(died)["early_stopping"]["verdict"] is None
    (went_on,) = corridor(against, name="y", output_path=tmp_path / "x")
    assert went_on.exit_code == 1
    assert asked_documents(went_on, "mini_knowledge") == asked_documents(calm, "mini_knowledge")
    one, other = (results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"] for outcome in (calm, went_on))
    assert one == other


def test_the_same_name_is_done_and_keeps_its_exit_code(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    against = EarlyGate(perfect, policy(mini_knowledge=0.05))
    (first,) = corridor(against, name="again")
    (second,) = corridor(against, name="again")
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert results_of(first) == results_of(second)
    with pytest.raises(UsageError, match="--against"):
        corridor(name="again")
    with pytest.raises(UsageError, match="--against"):
        corridor(EarlyGate(perfect, policy(mini_knowledge=0.02)), name="again")


def test_a_run_that_stopped_early_is_kept_out(corridor: Callable[..., list[Outcome]], perfect: Run) -> None:
    (outcome,) = corridor(EarlyGate(perfect, policy(mini_knowledge=0.05)), name="worse")
    stopped = Run.open(outcome.path)
    with pytest.raises(NotComparable, match=r"stopped early.*REGRESSION"):
        gate(perfect, stopped)
    with pytest.raises(NotComparable, match="stopped early"):
        corridor(EarlyGate(stopped, policy(mini_knowledge=0.05)))
    for also in ((), ("partial", "incomplete")):
        board = leaderboard([perfect, stopped], every=True, also=also)
        assert [line.run.run_id for line in board.lines] == ["base"]
        assert any("1 stopped early" in note for note in board.notes)
    (against,) = compare(perfect, [stopped]).against
    assert any("stopped as soon as it was sure" in note for note in against.notes)


def test_each_adapter_is_judged_by_itself(
    corridor: Callable[..., list[Outcome]], perfect: Run, tiny_adapters: tuple[Path, Path]
) -> None:
    outcomes = corridor(
        EarlyGate(perfect, policy(mini_knowledge=0.05)), tasks="mini_knowledge", adapter=f"a={tiny_adapters[0]}"
    )
    assert [outcome.exit_code for outcome in outcomes] == [1, 1]
    seen = [asked_documents(outcome, "mini_knowledge") for outcome in outcomes]
    shorter, longer = sorted(seen, key=len)
    assert set(shorter) <= set(longer), "one order for both"


@pytest.mark.parametrize(
    ("asked", "rules", "error", "says"),
    [
        ({"num_fewshot": 1}, {"mini_knowledge": 0.05}, NotComparable, "shots(.|\n)*the baseline's flags"),
        ({"seed": "7"}, {"mini_arithmetic": 0.05}, NotComparable, "type --seed 7,7,7,1234"),
        ({"limit": 50}, {"mini_knowledge": 0.05}, NotComparable, "this is --limit 50;"),
        ({"tasks": "mini_endings"}, {}, NotComparable, "mini_endings"),
        ({"tasks": "mini_arithmetic"}, {"mini_knowlege": 0.05}, UnknownTask, "judged and not run"),
        ({"tasks": "mini_endings"}, {"mini_endings": 0.05}, UnknownTask, "base"),
    ],
)
def test_what_can_not_be_held_against_the_baseline_is_refused_before_any_engine_starts(
    corridor: Callable[..., list[Outcome]],
    perfect: Run,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    rules: dict[str, float],
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.setattr("evalkit.runner.answering.start", lambda *args: pytest.fail("an engine was started"))
    with pytest.raises(error, match=says):
        corridor(EarlyGate(perfect, policy(**rules)), **asked)


@pytest.fixture
def duo(tmp_path: Path) -> str:
    """A group over two shipped tasks, in a folder of the user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "duo.yaml").write_text(
        "group: duo\ntask: [mini_knowledge, mini_endings]\n"
        "aggregate_metric_list:\n  - {metric: acc, weight_by_size: true}\nmetadata: {version: 1.0}\n"
    )
    return str(folder)


def test_a_group_is_drawn_and_stopped_as_one(corridor: Callable[..., list[Outcome]], duo: str) -> None:
    (base,) = corridor(name="base", tasks="duo", include_path=duo)
    with_values(base.path, "mini_knowledge", "acc,none", 1.0)
    results = json.loads((base.path / "results.json").read_text())
    tasks = results["tasks"]
    mean = sum(tasks[name]["metrics"]["acc,none"]["value"] * tasks[name]["n"] for name in tasks) / 600
    results["groups"]["duo"]["metrics"]["acc,none"]["value"] = mean
    (base.path / "results.json").write_text(json.dumps(results))
    against = EarlyGate(Run.open(base.path), policy(duo=0.05))
    (outcome,) = corridor(against, name="worse", tasks="duo", include_path=duo)
    said = results_of(outcome)["early_stopping"]["tasks"]["duo"]
    assert (said["verdict"], said["of"], outcome.exit_code) == ("regression", 600, 1)
    counts = {name: results_of(outcome)["tasks"][name]["n"] for name in ("mini_knowledge", "mini_endings")}
    assert sum(counts.values()) == said["n"] < 300
    assert counts["mini_knowledge"] / said["n"] == pytest.approx(400 / 600, abs=0.12), "each task in proportion"


def test_two_targets_can_not_share_documents(corridor: Callable[..., list[Outcome]], duo: str) -> None:
    (base,) = corridor(name="base", tasks="duo", include_path=duo)
    against = EarlyGate(Run.open(base.path), policy(duo=0.05, mini_endings=0.05))
    with pytest.raises(UsageError, match="share the documents of mini_endings"):
        corridor(against, tasks="duo", include_path=duo)


def test_a_limited_baseline_goes_with_the_same_limit(corridor: Callable[..., list[Outcome]]) -> None:
    (base,) = corridor(name="base", tasks="mini_knowledge", limit=200)
    with_values(base.path, "mini_knowledge", "acc,none", 1.0)
    against = EarlyGate(Run.open(base.path), policy(mini_knowledge=0.05))
    (outcome,) = corridor(against, name="worse", tasks="mini_knowledge", limit=200)
    said = results_of(outcome)["early_stopping"]["tasks"]["mini_knowledge"]
    assert (said["verdict"], said["of"], outcome.exit_code) == ("regression", 200, 1)
    assert (results_of(outcome)["status"], results_of(outcome)["limited"]) == ("partial", True)


def test_a_policy_from_the_environment_is_left_for_the_gate(tmp_path: Path) -> None:
    done = CliRunner(env={"EVALKIT_POLICY": "gate.yaml"}).invoke(
        command, ["--model", "nobody/nothing-here", "--tasks", "mini_endings", "--output-path", str(tmp_path)]
    )
    assert isinstance(done.exception, UnknownModel), "it came as far as looking for the model"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--policy", "gate.yaml"], "--policy goes with --against"),
        (["--against", "nobody"], "nobody"),
        (["--against", "x", "--judge", "openai:j", "--rubric", "dialogue"], "drop one"),
    ],
)
def test_flags_that_make_no_sense_are_exit_2(argv: list[str], says: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        command, ["--model", "nano", "--tasks", "mini_endings", "--output-path", str(tmp_path), *argv]
    )
    told = done.output + str(done.exception)
    assert says in told
    assert isinstance(done.exception, EvalkitError)
    assert done.exception.exit_code == 2


# ── the shipped model, on the real engine ────────────────────────────────────


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano with noise on its weights: it still speaks, and knows little."""
    numpy_io = pytest.importorskip("safetensors.numpy", reason="safetensors comes with lm-evalkit[hf]")
    folder = tmp_path_factory.mktemp("damaged") / "damaged"
    shutil.copytree(NANO, folder)
    weights, dice = numpy_io.load_file(folder / "model.safetensors"), np.random.default_rng(0)
    for name, weight in weights.items():
        if weight.ndim > 1:
            noise = dice.standard_normal(weight.shape) * 0.6 * weight.astype(np.float32).std()
            weights[name] = (weight + noise).astype(weight.dtype)
    numpy_io.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_damaged_nano_is_found_out_early_and_nano_itself_is_not(damaged: Path, tmp_path: Path) -> None:
    def go_through(*argv: str) -> subprocess.CompletedProcess[str]:
        words = ["--tasks", "mini_endings,mini_arithmetic", "--engine", "hf", "--output-path", str(tmp_path), *argv]
        return subprocess.run(
            [sys.executable, "-m", "evalkit", "run", "--quiet", *words],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            timeout=900,
        )

    rules = tmp_path / "gate.yaml"
    rules.write_text("tasks:\n  mini_endings: {max_drop: 0.05}\n  mini_arithmetic: {max_drop: 0.05}\n")
    done = go_through("--model", "nano", "--name", "base")
    assert done.returncode == 0, done.stderr
    judged_by = ("--against", "base", "--policy", str(rules))
    worse = go_through("--model", str(damaged), "--name", "worse", *judged_by)
    assert worse.returncode == 1, worse.stderr
    same = go_through("--model", "nano", "--name", "same", *judged_by)
    assert same.returncode in (0, 3), same.stderr
    base = Run.open(tmp_path / "nano" / "base")
    (folder,) = tmp_path.glob("*/worse")
    outcome = Outcome(Run.open(folder))
    for task in ("mini_endings", "mini_arithmetic"):
        said = results_of(outcome)["early_stopping"]["tasks"][task]
        assert said["verdict"] == "regression"
        assert said["n"] < said["of"] / 2
        seen = [row["doc_id"] for row in Run.open(folder).rows(task)]
        assert sorted(set(seen)) == sorted(prefix(base, outcome, task))
        assert f"{said['n']} of {said['of']}" in worse.stdout
    kept = results_of(Run.open(tmp_path / "nano" / "same"))["early_stopping"]["tasks"]
    assert all(task["verdict"] != "regression" and task["delta"] == 0 for task in kept.values())
    refused = subprocess.run(
        [sys.executable, "-m", "evalkit", "gate", "base", "worse", "--output-path", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert refused.returncode == 2
    assert "stopped early" in refused.stderr
