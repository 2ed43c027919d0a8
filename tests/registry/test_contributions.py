"""Figures of all documents together of real tasks: lm-eval's values, evalkit's intervals, and what the table keeps."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from evalkit.registry.contributions import Contributor, corpus_interval
from evalkit.types import Figure, Row
from tests.helpers.oracle import compare


def rows(metric: str, values: list[Any]) -> list[Row]:
    return [Row("t", n, f"h{n}", "p", "none", {}, {metric: value}) for n, value in enumerate(values)]


def test_a_function_that_only_bears_a_known_name_is_not_taken_for_it() -> None:
    def macro_f1_score(items: list[Any]) -> float:
        return 0.125 * len(items)

    values = [(1, 1), (0, 1), (0, 0)]
    assert not any(row.corpus for row in Contributor({"f1": macro_f1_score}).applied(rows("f1", values)))


def test_values_of_another_form_add_nothing() -> None:
    from lm_eval.api.metrics import f1_score

    made = Contributor({"f1": f1_score}).applied(rows("f1", [(1, 1), "text", (0, 0)]))
    assert not any(row.corpus for row in made)


def test_bleu_and_chrf_of_lm_evals_items_are_sacrebleus() -> None:
    from lm_eval.api import metrics

    dice = random.Random(1)
    words = ["고양이가", "앉았다", "매트", "위에", "the", "cat"]
    items = [(*(" ".join(dice.choices(words, k=6)) for _ in range(2)),) for _ in range(60)]
    for name, wanted in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        aggregation = getattr(metrics, name)
        made = Contributor({name: aggregation}).applied(rows(name, items))
        value = aggregation(items)
        figure = corpus_interval(Figure(value), name, made)
        assert value == pytest.approx(wanted([said for _, said in items], [[ref for ref, _ in items]]).score, abs=1e-9)
        assert figure.ci95 is not None
        assert figure.ci95[0] < value < figure.ci95[1]


@pytest.mark.parametrize(("name", "limit"), [("kobest", 40), ("bbq", 30), ("crows_pairs_english", 30)])
def test_rows_and_figures_equal_lm_evals(hub: Path, name: str, limit: int) -> None:
    ran = compare(hub, [name], limit)
    figures = ran.suite.aggregate(ran.rows)
    if name == "kobest":
        for found in (*figures.tasks.values(), figures.groups["kobest"]):
            figure = found["f1,none"]
            assert figure.value is not None
            assert figure.ci95 is not None
            assert figure.ci95[0] <= figure.value <= figure.ci95[1]
            assert figure.stderr
