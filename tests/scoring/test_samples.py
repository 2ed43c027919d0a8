"""avg@K, maj@K and pass@k against brute force, and through recorded answers of real tasks."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit as ek
from evalkit.scoring.samples import figures, is_figure, ks_up_to, majority
from evalkit.types import Samples

answers = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=9)


@given(answers)
def test_a_majority_vote_shares_ties(votes: list[str | None]) -> None:
    right = {"a": 1.0, "b": 0.0, "c": 0.25, None: 0.0}
    counts = Counter(vote for vote in votes if vote is not None)
    best = [vote for vote, count in counts.items() if count == max(counts.values())]
    expected = fmean(right[vote] for vote in best) if best else 0.0
    assert majority(votes, [right[vote] for vote in votes]) == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=2, max_size=9))
def test_pass_at_k_of_several_answers_counts_draws(right: list[bool]) -> None:
    found = figures(Samples("acc", tuple(map(float, right)), tuple(str(r) for r in right)))
    for k in ks_up_to(len(right)):
        draws = list(itertools.combinations(right, k))
        assert found[f"pass@{k}"] == pytest.approx(sum(map(any, draws)) / len(draws))
    assert found[f"avg@{len(right)}"] == pytest.approx(fmean(right))


def test_which_k_are_reported() -> None:
    assert ks_up_to(3) == (1, 2, 3)
    assert ks_up_to(100) == (1, 2, 4, 5, 8, 10, 16, 32, 64, 100)
    assert ks_up_to(200)[-2:] == (100, 200)
    assert is_figure("avg@8", 8)
    assert is_figure("pass@2", 8)
    assert not is_figure("avg@8", 4)
    assert not is_figure("exact_match", 8)


def test_graded_scores_have_no_pass_at_k() -> None:
    assert set(figures(Samples("f1", (0.5, 1.0), ("x", "y")))) == {"avg@2", "maj@2", "var@2"}


def test_an_answer_that_is_not_finished_is_not_scored() -> None:
    found = figures(Samples("acc", (1.0, None, 1.0, 0.0), ("x", "z", "x", "y")))
    assert found["avg@4"] == pytest.approx(2 / 3)
    assert found["maj@4"] == 1.0
    assert "pass@4" not in found
    assert figures(Samples("acc", (None, None), (None, None))) == {}


def scored(tmp_path: Path, rows: Sequence[dict[str, Any]], **more: Any) -> tuple[dict[str, Any], Any]:
    tmp_path.mkdir(exist_ok=True)
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ek.score(file, output_path=tmp_path / "runs", name="a", **more)
    (entry,) = json.loads((run.path / "results.json").read_text())["tasks"].values()
    return entry, run


def test_recorded_outputs_give_the_figures_beside_lm_evals(tmp_path: Path) -> None:
    outputs = [  # the right answers of the first documents are 4, 5 and 7
        ["#### 4", "#### 4.", "#### 9", "nothing"],
        ["#### 1,000", "#### 1000", "#### 5", "#### 5"],
        ["#### 1", "#### 2", "#### 3", "#### 7"],
    ]
    rows = [{"task": "mini_arithmetic", "doc_id": i, "outputs": texts} for i, texts in enumerate(outputs)]
    entry, run = scored(tmp_path, rows, limit=3)
    value = {name: figure["value"] for name, figure in entry["metrics"].items()}
    assert value["exact_match,strict-match"] == pytest.approx(1 / 3)  # lm-eval looks at the first answer alone
    assert value["avg@4,strict-match"] == pytest.approx((2 + 2 + 1) / 12)
    assert value["maj@4,strict-match"] == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert value["pass@1,strict-match"] == pytest.approx(value["avg@4,strict-match"])
    assert value["pass@2,strict-match"] == pytest.approx((5 / 6 + 5 / 6 + 1 / 2) / 3)
    assert value["pass@4,flexible-extract"] == 1.0
    assert not any("var@" in name for name in value)
    mean = entry["metrics"]["avg@4,strict-match"]
    assert (mean["samples"], entry["headline"]) == (4, "avg@4,strict-match")
    assert mean["stderr"] ** 2 == pytest.approx(mean["stderr_documents"] ** 2 + mean["stderr_samples"] ** 2) or (
        mean["stderr_documents"] == 0 and mean["stderr_samples"] >= mean["stderr"]
    )
    lines = [json.loads(line) for line in (run.path / "samples" / "mini_arithmetic.jsonl").read_text().splitlines()]
    assert lines[2]["scores"] == [0.0, 0.0, 1.0, 1.0]
    assert lines[2]["votes"] == ["1000", "1000", "5", "5"]
    assert lines[0]["votes"][3] is None
    assert lines[0]["metrics"] == ["exact_match"]


def test_recorded_programs_give_the_figures_too(tmp_path: Path) -> None:
    right, wrong = "    return x * 8 + 11\n", "    return x\n"
    rows = [{"task": "mini_code", "doc_id": 0, "outputs": [right, wrong, wrong, right, right]}]
    entry, _ = scored(tmp_path, rows, limit=1)
    value = {name: figure["value"] for name, figure in entry["metrics"].items()}
    assert value["pass@1,create_test"] == value["avg@5,create_test"] == pytest.approx(0.6)
    assert value["pass@2,create_test"] == pytest.approx(0.9)
    assert value["pass@5,create_test"] == value["maj@5,create_test"] == 1.0
    assert entry["headline"] == "pass@1,create_test"


def test_documents_with_fewer_answers_set_how_many_count(tmp_path: Path) -> None:
    rows = [
        {"task": "mini_arithmetic", "doc_id": 0, "outputs": ["#### 4", "#### 9", "#### 4"]},
        {"task": "mini_arithmetic", "doc_id": 1, "outputs": ["#### 5", "#### 5"]},
    ]
    entry, _ = scored(tmp_path, rows, limit=2)
    assert entry["metrics"]["avg@2,strict-match"]["value"] == pytest.approx(0.75)
    assert not any(name.startswith("avg@3") for name in entry["metrics"])


def test_a_list_of_one_answer_has_the_figures_of_one(tmp_path: Path) -> None:
    texts = ["#### 4", "#### 9", "nothing"]
    rows = [{"task": "mini_arithmetic", "doc_id": i, "outputs": [text]} for i, text in enumerate(texts)]
    entry, _ = scored(tmp_path, rows, limit=3)
    for name in ("strict-match", "flexible-extract"):
        plain = entry["metrics"][f"exact_match,{name}"]
        for metric in ("avg@1", "maj@1", "pass@1"):
            ours = entry["metrics"][f"{metric},{name}"]
            assert (ours["value"], ours["ci95"]) == (plain["value"], plain["ci95"])
    assert entry["headline"] == "exact_match,strict-match"
    alone = [{"task": "mini_arithmetic", "doc_id": i, "output": text} for i, text in enumerate(texts)]
    without, _ = scored(tmp_path / "plain", alone, limit=3)
    assert not any("@" in name for name in without["metrics"])
    mixed, _ = scored(tmp_path / "mixed", [rows[0], {**rows[1], "outputs": ["#### 5", "#### 9"]}], limit=2)
    assert mixed["metrics"]["avg@1,strict-match"]["value"] == 1.0  # every document's first answer


def test_a_hundred_programs_give_the_published_way_of_counting(tmp_path: Path) -> None:
    """CodeGen's records: n = 100 samples of each problem, pass@1, pass@10 and pass@100 by the estimator."""
    right, wrong = ["    return x * 8 + 11\n", "    return 11 + 8 * x\n"], ["    return x\n", "    return x +\n"]
    solved = 7
    outputs = [random.Random(1).choice(right) for _ in range(solved)]
    outputs += [random.Random(2).choice(wrong) for _ in range(100 - solved)]
    random.Random(3).shuffle(outputs)
    entry, _ = scored(tmp_path, [{"task": "mini_code", "doc_id": 0, "outputs": outputs}], limit=1)
    for k in (1, 2, 4, 5, 8, 10, 16, 32, 64, 100):
        expected = 1 - Fraction(comb(100 - solved, k), comb(100, k))
        assert entry["metrics"][f"pass@{k},create_test"]["value"] == pytest.approx(float(expected), abs=1e-12)
    assert entry["metrics"]["avg@100,create_test"]["value"] == pytest.approx(0.07)


def test_votes_over_a_hundred_answers_are_counted_as_lm_eval_compares_them(tmp_path: Path) -> None:
    """Each document's right answer, a wrong one and texts without an answer; ways of writing a number are one vote."""
    # (right, wrong, others, nothing) of each document, and what the majority scores
    counts = [((60, 40, 0, 0), 1.0), ((45, 45, 10, 0), 1 / 2), ((2, 1, 0, 97), 1.0)]
    gold = ["4", "5", "7"]
    rows = []
    for i, ((good, bad, others, nothing), _) in enumerate(counts):
        ways = [f"so #### {gold[i]}", f"#### {gold[i]}.", f"It is\n#### {gold[i]}"]
        texts = [ways[n % 3] for n in range(good)] + ["#### 1,234" if n % 2 else "#### 1234" for n in range(bad)]
        texts += [f"#### {2000 + n}" for n in range(others)] + ["I don't know"] * nothing
        random.Random(i).shuffle(texts)
        rows.append({"task": "mini_arithmetic", "doc_id": i, "outputs": texts})
    entry, _ = scored(tmp_path, rows, limit=3)
    value = {name: figure["value"] for name, figure in entry["metrics"].items()}
    assert value["maj@100,strict-match"] == pytest.approx(fmean(share for _, share in counts))
    assert value["avg@100,strict-match"] == pytest.approx(fmean(good / 100 for (good, *_), _ in counts))
    for k in (1, 10, 100):
        each = [1 - Fraction(comb(100 - good, k), comb(100, k)) for (good, *_), _ in counts]
        assert value[f"pass@{k},strict-match"] == pytest.approx(float(sum(each) / 3), abs=1e-12)
