"""Figures of all documents together: equal to scikit-learn's and sacrebleu's, with intervals and paired bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from evalkit.stats import CORPUS_KINDS, Contributions, corpus_difference, corpus_figure, corpus_value

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)
binary = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)


def numbers(rows: Any) -> np.ndarray[Any, Any]:
    return np.array(rows, dtype=float)


@pytest.mark.filterwarnings("ignore")
@given(labels, binary)
def test_f1_and_matthews_are_scikit_learns(pairs: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    gold, said = zip(*pairs, strict=True)
    assert corpus_value("macro_f1", numbers(pairs)) == pytest.approx(f1_score(gold, said, average="macro"), abs=1e-12)
    assert corpus_value("mcc", numbers(pairs)) == pytest.approx(matthews_corrcoef(gold, said), abs=1e-9)
    gold, said = zip(*two, strict=True)
    assert corpus_value("f1", numbers(two)) == pytest.approx(f1_score(gold, said), abs=1e-12)


words = st.lists(st.sampled_from(["the", "cat", "sat", "on", "서울", "은", "a", "mat", "."]), max_size=8).map(" ".join)


@settings(max_examples=60)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=6))
def test_bleu_chrf_and_ter_are_sacrebleus(segments: list[tuple[str, str]]) -> None:
    said, wanted = ([pair[side] for pair in segments] for side in (0, 1))
    metrics: dict[str, Any] = {
        "bleu": sacrebleu.BLEU(),
        "chrf": sacrebleu.CHRF(),
        "chrf++": sacrebleu.CHRF(word_order=2),
        "ter": sacrebleu.TER(),
    }
    for name, metric in metrics.items():
        counts = metric._extract_corpus_statistics(said, [wanted])
        assert corpus_value(name, numbers(counts)) == pytest.approx(
            metric.corpus_score(said, [wanted]).score, abs=1e-9
        ), name


def test_perplexity_ratios_and_bias_scores() -> None:
    likelihoods = numbers([[-10, 4], [-3, 1]])
    assert corpus_value("perplexity", likelihoods) == pytest.approx(math.exp(13 / 5))
    assert corpus_value("bits", likelihoods) == pytest.approx(13 / 5 / math.log(2))
    assert corpus_value("ratio", numbers([[1, 1], [0, 1], [0, 0]])) == 0.5
    assert math.isnan(corpus_value("ratio", numbers([[0, 0]])))
    assert corpus_value("ratio_difference", numbers([[1, 1, 0, 0], [0, 0, 0, 1]])) == 1.0
    # Two of three known answers are biased, one of four is right.
    bbq = numbers([[1, 1, 0, 1], [1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    assert corpus_value("bbq_disamb", bbq) == pytest.approx(2 * 2 / 3 - 1)
    assert corpus_value("bbq_amb", bbq) == pytest.approx((1 - 1 / 4) * (2 * 2 / 3 - 1))
    assert corpus_value("bbq_disamb", numbers([[0, 1, 0, 1]])) == 0.0
    assert math.isnan(corpus_value("bbq_amb", numbers([[0, 0, 0, 0]])))


def drawn(n: int, right: float, seed: int, base: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
    dice = np.random.default_rng(seed)
    gold = dice.integers(0, 3, n) if base is None else base[:, 0]
    return np.stack([gold, np.where(dice.random(n) < right, gold, (gold + 1) % 3)], axis=1).astype(float)


def test_the_interval_of_one_run_is_that_of_a_plain_bootstrap() -> None:
    parts = drawn(600, 0.7, 1)
    found = corpus_figure([Contributions("macro_f1", (parts,))])
    dice = np.random.default_rng(5)
    values = [
        f1_score(*parts[dice.integers(0, 600, 600)].T, average="macro")  # the same, the slow way
        for _ in range(400)
    ]
    assert found.stderr == pytest.approx(np.std(values), rel=0.15)
    low, high = np.quantile(values, [0.025, 0.975])
    assert (found.interval().low, found.interval().high) == pytest.approx((low, high), abs=0.01)


def test_clusters_widen_and_pairs_narrow() -> None:
    once = drawn(200, 0.7, 1)
    four = np.repeat(once, 4, axis=0)
    alone = corpus_figure([Contributions("macro_f1", (four,))])
    together = corpus_figure([Contributions("macro_f1", (four,), np.repeat(np.arange(200), 4))])
    assert together.stderr == pytest.approx(2 * alone.stderr, rel=0.15)
    better = once.copy()
    wrong = np.flatnonzero(better[:, 0] != better[:, 1])[:30]
    better[wrong, 1] = better[wrong, 0]
    paired = corpus_difference([Contributions("macro_f1", (once, better))])
    assert paired.delta == pytest.approx(corpus_value("macro_f1", better) - corpus_value("macro_f1", once))
    assert paired.stderr < 0.8 * math.hypot(
        *(corpus_figure([Contributions("macro_f1", (run,))]).stderr for run in (once, better))
    )
    assert paired.lower(0.95) > 0
    assert paired.p_above(0.0) < 1e-4
    assert corpus_difference([Contributions("macro_f1", (once, better))], sign=-1).upper(0.95) < 0


def test_p_values_are_the_levels_at_which_bounds_touch() -> None:
    found = corpus_difference([Contributions("macro_f1", (base := drawn(400, 0.7, 1), drawn(400, 0.68, 2, base)))])
    for at in (-0.05, 0.0, 0.03):
        for relative in (0.0, 0.02):
            below, above = found.p_below(at, relative), found.p_above(at, relative)
            if below < 0.5:
                assert found.upper(1 - below, relative) == pytest.approx(at, abs=1e-4)
            if above < 0.5:
                assert found.lower(1 - above, relative) == pytest.approx(at, abs=1e-4)


@pytest.mark.parametrize("n", [3, 40, 2000])
def test_runs_that_agree_are_not_certain(n: int) -> None:
    parts = drawn(n, 0.7, 3)
    same = corpus_difference([Contributions("macro_f1", (parts, parts.copy()))])
    assert same.delta == 0.0
    assert same.lower(0.95) <= -(1 - 0.05 ** (1 / n))  # what a yes/no metric would leave for documents not seen
    assert same.p_above(-0.01) > 0.05 or n == 2000
    right = np.stack([parts[:, 0], parts[:, 0]], axis=1)
    whole = corpus_figure([Contributions("macro_f1", (right,))]).interval()
    assert whole.high == 1.0
    assert whole.low < 1.0


def test_several_tasks_make_one_figure() -> None:
    big, small = drawn(900, 0.7, 1), drawn(100, 0.5, 2)
    by_size = corpus_figure(
        [Contributions("macro_f1", (big,), weight=900), Contributions("macro_f1", (small,), weight=100)]
    )
    values = corpus_value("macro_f1", big), corpus_value("macro_f1", small)
    assert by_size.value == pytest.approx(0.9 * values[0] + 0.1 * values[1])
    alike = corpus_figure([Contributions("macro_f1", (big,)), Contributions("macro_f1", (small,))])
    assert alike.value == pytest.approx(sum(values) / 2)
    assert alike.stderr > by_size.stderr


def test_the_same_documents_give_the_same_interval() -> None:
    for kind in CORPUS_KINDS.values():
        parts = np.abs(np.random.default_rng(1).integers(0, 4, (50, kind.width))).astype(float)
        once, again = (corpus_figure([Contributions(kind.name, (parts,))]).interval() for _ in range(2))
        assert once == again
