"""How far a judge agrees with people: figures, intervals, and files as they come."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError, UsageError
from evalkit.judging.agreement import kendall, krippendorff_alpha, pairwise_accuracy, pearson, quadratic_kappa, spearman
from evalkit.judging.calibrate import calibrate
from evalkit.judging.ppi import powered_mean
from evalkit.judging.records import read_judgments, read_labels
from evalkit.judging.resample import agreement_intervals
from evalkit.judging.scale import Scale, parse_scales
from tests.helpers.judged import evalkit, recorded, write

# What is imported when first needed is slow once.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

FIVE = Scale.between(1, 5)


RATINGS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=4, max_size=40)


@given(RATINGS)
def test_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    from scipy import stats

    x, y = zip(*pairs, strict=True)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(pearson(x, y))
        return
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


@given(RATINGS)
def test_kappa_is_cohens(pairs: list[tuple[int, int]]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    x, y = zip(*pairs, strict=True)
    if len(set(x) | set(y)) == 1:
        return
    assert quadratic_kappa(x, y) == pytest.approx(
        sklearn.cohen_kappa_score(x, y, labels=range(1, 6), weights="quadratic")
    )


@given(st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, math.nan]), min_size=6, max_size=6), min_size=2, max_size=4))
def test_alpha_is_krippendorffs(table: list[list[float]]) -> None:
    reference = pytest.importorskip("krippendorff")
    ours = krippendorff_alpha(table)
    if math.isnan(ours):
        return
    assert ours == pytest.approx(reference.alpha(np.array(table), level_of_measurement="interval"))


def test_pairwise_accuracy_counts_inside_groups() -> None:
    judge, people = [1, 2, 9, 8], [1, 2, 1, 2]
    assert pairwise_accuracy(judge, people, np.array([0, 0, 1, 1])) == (0.5, 2)
    assert pairwise_accuracy([1, 1], [1, 2])[0] == 0.5


def test_bootstrap_draws_equal_the_measures_on_the_drawn_items() -> None:
    """All draws are one matrix product; one draw done by hand has to be the same."""
    from evalkit.judging import resample

    rng = np.random.default_rng(3)
    x, groups = rng.integers(1, 6, 30).astype(float), np.repeat(np.arange(10), 3)
    y = np.clip(x + rng.integers(-1, 2, 30), 1, 5)
    weights = resample.draw_groups(groups, 200, 0)
    values = []
    for draw in weights:
        drawn = np.concatenate([np.tile(np.flatnonzero(groups == g), int(k)) for g, k in enumerate(draw) if k])
        values.append((pearson(x[drawn], y[drawn]), spearman(x[drawn], y[drawn]), kendall(x[drawn], y[drawn])))
    intervals = agreement_intervals(x, y, groups, resamples=200, seed=0)
    for column, name in enumerate(("pearson", "spearman", "kendall")):
        expected = np.quantile([v[column] for v in values], [0.025, 0.975])
        assert intervals[name] == pytest.approx(tuple(expected), abs=1e-9)


def test_every_correlation_of_many_items_has_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.judging import resample

    rng = np.random.default_rng(5)
    truth = rng.integers(1, 6, 4001).astype(float)
    judge = np.clip(truth + rng.normal(0, 1, truth.size), 1, 5).round(1)
    groups = np.arange(truth.size) // 4
    intervals = agreement_intervals(judge, truth, groups, resamples=300)
    for name, measure in (("pearson", pearson), ("spearman", spearman), ("kendall", kendall)):
        low, high = intervals[name] or (math.nan, math.nan)
        assert low < measure(judge, truth) < high
        assert high - low < 0.1
    assert resample.rank_resamples(4001, 2000) == 1499
    # Sorting each draw says what all pairs at once say.
    few = agreement_intervals(judge[:400], truth[:400], groups[:400], resamples=100)
    monkeypatch.setattr(resample, "_ALL_PAIRS", 0)
    assert agreement_intervals(judge[:400], truth[:400], groups[:400], resamples=100)["kendall"] == pytest.approx(
        few["kendall"], abs=1e-12
    )


@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(5, 200))
def test_powered_means_are_ppi_pythons(seed: int, n: int, unlabelled: int) -> None:
    ppi = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(seed)
    truth, noise = rng.normal(size=n), rng.normal(size=n)
    judged, rest = truth + noise, rng.normal(size=unlabelled) * 1.4
    ours = powered_mean(truth, judged, rest)
    assert ours.value == pytest.approx(float(ppi.ppi_mean_pointestimate(truth, judged, rest)[0]), abs=1e-9)
    low, high = ppi.ppi_mean_ci(truth, judged, rest, alpha=0.05)
    assert ours.ci == pytest.approx((float(low[0]), float(high[0])), abs=1e-9)


PUBLISHED = {
    "naturalness": (0.443666, 0.513986, 0.373973),
    "coherence": (0.595143, 0.612942, 0.465915),
    "engagingness": (0.556510, 0.604739, 0.455941),
    "groundedness": (0.536209, 0.574954, 0.451533),
    "understandability": (0.380038, 0.467807, 0.360741),
    "overall": (0.632796, 0.662583, 0.487272),
}


def test_unieval_correlations_are_the_published_ones(tmp_path: Path) -> None:
    folder = recorded() / "unieval"
    out = tmp_path / "c.json"
    evalkit(
        "judge",
        "calibrate",
        "--judgments",
        str(folder / "topical_chat_judgments.jsonl"),
        "--labels",
        str(folder / "topical_chat_labels.jsonl"),
        "--json",
        str(out),
        "--output-path",
        str(tmp_path),
    )
    figures = json.loads(out.read_text())["dimensions"]
    for name, expected in PUBLISHED.items():
        found = tuple(round(figures[name][measure], 6) for measure in ("pearson", "spearman", "kendall"))
        assert found == expected
        assert figures[name]["n"] == 360
        low, high = figures[name]["spearman_ci95"]
        assert low < figures[name]["spearman"] < high
        assert figures[name]["per_group"]["groups"] + figures[name]["per_group"]["constant"] == 60


# ── calibrate on rows as they come ─────────────────────────────────────────────


def test_replies_log_probabilities_and_scores_side_by_side(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"item": "a", "group": "g", "system": "s", "dimension": "q", "responses": ["4", "Score: 2", "who knows"]},
        {"item": "b", "group": "g", "system": "s", "dimension": "q", "top_logprobs": {"1": -0.1, " 2": -2.5}},
        {"item": "c", "group": "h", "system": "s", "dimension": "q", "score": 4.5},
        {"item": "d", "group": "h", "system": "s", "dimension": "q", "responses": ["who knows", "no idea"]},
        {"item": "e", "group": "h", "system": "s", "dimension": "q", "score": 9},
    ]
    judged = {j.item: j for j in read_judgments(write(tmp_path / "j.jsonl", rows), {"q": FIVE})}
    assert judged["a"].score == 3
    assert judged["b"].score == pytest.approx((math.exp(-0.1) + 2 * math.exp(-2.5)) / (math.exp(-0.1) + math.exp(-2.5)))
    assert judged["c"].score == 4.5
    assert (judged["d"].score, judged["d"].reason) == (None, "unparsed")
    assert (judged["e"].score, judged["e"].reason) == (None, "off the scale")
    labels = write(tmp_path / "h.jsonl", [{"item": i, "dimension": "q", "human": [3, 4.0]} for i in "abcd"])
    figures = calibrate(list(judged.values()), read_labels(labels))["q"]
    assert figures["n"] == 3
    assert figures["coverage"] == 3 / 5
    assert figures["missing"] == {"unparsed": 1, "off the scale": 1}
    assert figures["replies"] == {"n": 5, "read": 2, "unread": {"unparsed": 3}}
    assert figures["pearson"] is None
    assert "people" in figures["reason"]


VALUES = st.one_of(
    st.floats(1, 5), st.integers(-2, 7), st.floats(), st.none(), st.just(10**400), st.sampled_from(["4", "x"])
)
HEADS = {"item": st.sampled_from("abcdef"), "dimension": st.just("q")}
ROWS = st.one_of(
    st.fixed_dictionaries({**HEADS, "group": st.sampled_from(["g", "h", None, 3]), "score": VALUES}),
    st.fixed_dictionaries(
        {**HEADS, "responses": st.lists(VALUES | st.sampled_from(["4", "Score: 3", "1-2"]), max_size=3)}
    ),
    st.fixed_dictionaries(
        {**HEADS, "top_logprobs": st.dictionaries(st.sampled_from(["1", " 2", "x"]), st.floats(-9, 0))}
    ),
)
PEOPLE = st.one_of(st.integers(1, 5), st.lists(st.none() | st.floats(1, 5) | st.just(10**400), min_size=1, max_size=3))
LABELS = st.fixed_dictionaries({**HEADS, "human": PEOPLE})


@given(
    st.lists(ROWS, min_size=1, max_size=8, unique_by=lambda row: row["item"]), st.lists(LABELS, min_size=1, max_size=8)
)
def test_no_file_of_the_right_shape_breaks_calibrate(rows: list[dict[str, Any]], labels: list[dict[str, Any]]) -> None:
    """Figures that JSON can hold, or one line on what is wrong."""
    with TemporaryDirectory() as folder:
        try:
            judged = read_judgments(write(Path(folder) / "j.jsonl", rows), parse_scales("1:5"))
            figures = calibrate(judged, read_labels(write(Path(folder) / "h.jsonl", labels)), resamples=100)
        except (ConfigError, UsageError):
            return
    found = json.loads(json.dumps(figures, allow_nan=False))["q"]
    assert 0 <= found["coverage"] <= 1
    assert found["n"] <= len(rows)
    for name in ("pearson", "spearman", "kendall", "pairwise_accuracy"):
        assert found[name] is None or -1 <= found[name] <= 1


def test_thin_cover_of_recorded_log_probabilities_is_missing(tmp_path: Path) -> None:
    row = {"item": "a", "dimension": "q", "top_logprobs": {"3": math.log(0.5), "The": math.log(0.5)}}
    judged = read_judgments(write(tmp_path / "j.jsonl", [row]), {"q": FIVE})[0]
    assert judged.score is None
    assert "0.50" in str(judged.reason)


def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "j.jsonl"
    broken.write_text('{"item": "a", "dimension": "q", "score": 1}\n{"item"\n')
    with pytest.raises(ConfigError, match=r"j\.jsonl:2 is not JSON"):
        read_judgments(broken, {})
    with pytest.raises(ConfigError, match="no `dimension`; the row has `dimenson`"):
        read_judgments(write(tmp_path / "k.jsonl", [{"item": "a", "dimenson": "q", "score": 1}]), {})
    with pytest.raises(UsageError, match="--scale q=1:5"):
        read_judgments(write(tmp_path / "l.jsonl", [{"item": "a", "dimension": "q", "responses": ["4"]}]), {})
    named = write(tmp_path / "m.jsonl", [{"item": "a", "dimension": "quality", "score": 1}])
    with pytest.raises(UsageError, match="did you mean quality"):
        read_judgments(named, parse_scales("qualty=1:5"))


def test_people_disagree_and_few_labels_go_far(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(3, 1, 400)
    rows = [
        {"item": str(i), "group": str(i // 2), "dimension": "q", "score": float(t + rng.normal(0, 0.3))}
        for i, t in enumerate(truth)
    ]
    people = [
        {"item": str(i), "dimension": "q", "human": [float(t + rng.normal(0, 0.5)) for _ in range(3)]}
        for i, t in enumerate(truth[:60])
    ]
    judged = read_judgments(write(tmp_path / "j.jsonl", rows), {})
    figures = calibrate(judged, read_labels(write(tmp_path / "h.jsonl", people)))["q"]
    assert 0.5 < figures["ceiling"]["pearson"] < 1
    assert figures["ceiling"]["raters"] == 3
    estimate = figures["estimate"]
    assert estimate["stderr"] < 0.7 * estimate["people_alone"]["stderr"]
    assert estimate["ci95"][0] < truth.mean() < estimate["ci95"][1]


def test_alternatives_as_the_api_writes_them_are_read_and_a_lone_label_leaves_every_key(tmp_path: Path) -> None:
    tops = [{"token": "4", "logprob": -0.1}, {"token": " 3", "logprob": -2.4}]
    rows = [{"item": f"i{i}", "dimension": "q", "top_logprobs": tops} for i in range(3)]
    (first, *_) = judged = read_judgments(write(tmp_path / "j.jsonl", rows), parse_scales("q=1:5"))
    assert first.score == pytest.approx((4 * math.exp(-0.1) + 3 * math.exp(-2.4)) / (math.exp(-0.1) + math.exp(-2.4)))
    figures = calibrate(judged, {("i0", "q"): [4.0]})["q"]
    assert figures["per_group"]["spearman"] is None
    assert "two at least" in figures["per_group"]["reason"]
