"""The Korean suites: their cards, and CLIcK on rows of its schema made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import DataNotFound
from evalkit.registry import Registry
from evalkit.registry.suite import Group, Suite
from evalkit.types import Figure
from tests.helpers import oracle

HEADLINES = {
    "kobest": "f1,none",
    "click": "acc,none",
    "kmmlu": "acc,none",
    "haerae": "acc,none",
    "kormedmcqa": "exact_match,extract_answer",
    "hrm8k": "exact_match,none",
    "korquad": "f1,none",
    "kobbq": "acc_amb,none",
}

IDS = (
    *("Korean_Economy_1", "Korean_Geography_1", "KHB_1", "Korean_Law_1", "PSAT_1", "Korean_Politics_1"),
    *("Korean_Popular_1", "Korean_Society_1", "Korean_Tradition_1", "CSAT_korean_22_1", "CSAT_korean_20_15"),
    *("CSAT_korean_20_3", "Kedu_1_2", "Kedu_16_1", "TK_5", "TK_1", "PSE_korean_1"),
)


def click(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for number, name in enumerate(IDS):
        choices = [f"{name} {letter}" for letter in ("가나다라마" if "CSAT" in name else "가나다라")]
        rows.append(
            {
                "id": name,
                "paragraph": "" if number % 2 else f"지문 {number}",
                "question": f"질문 {number}의 대화",
                "choices": choices,
                "answer": choices[number % len(choices)],
            }
        )
    home = folder / "EunsuKim" / "CLIcK"
    (home / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "data" / "train-00000-of-00001.parquet")
    front = "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n"
    (home / "README.md").write_text(f"---\n{front}---\n")
    return folder


def test_every_suite_has_a_card_with_its_headline() -> None:
    cards = Registry().cards
    assert {name: cards[name].headline for name in HEADLINES} == HEADLINES
    assert all(cards[name].description and cards[name].citation for name in HEADLINES)
    # Letters and numbers are in no language.
    assert {name for name in HEADLINES if cards[name].answers_in} == {"korquad"}


def test_data_that_is_not_in_the_mirror_says_what_to_pull(tmp_path: Path) -> None:
    for name in ("haerae", "kormedmcqa"):
        with pytest.raises(DataNotFound, match="evalkit data pull"):
            Registry(data_dir=tmp_path).load([name])


def test_click_is_lm_evals_and_scores_the_csat_on_five_letters(tmp_path: Path) -> None:
    ran = oracle.compare(click(tmp_path), ["click"], 50)
    asked = {document.doc["id"]: len(document.requests) for found in ran.documents.values() for document in found}
    assert asked == {name: 5 if "CSAT" in name else 4 for name in IDS}
    shown = next(d for found in ran.documents.values() for d in found if d.doc["id"] == "CSAT_korean_22_1")
    assert "D:" in str(shown.requests[0].context)
    assert "E:" not in str(shown.requests[0].context)


def test_a_macro_mean_counts_subjects_alike() -> None:
    def group(macro: str | None) -> Group:
        class Whole:
            def aggregate(self, metrics: Any) -> dict[str, float]:
                return {"acc,none": 0.9}

        return Group("g", "g", ("a", "b"), ("a", "b"), "1", "acc,none", macro=macro, _group=Whole())

    tasks = {"a": {"acc,none": Figure(1.0, 0.1, (0.9, 1.0))}, "b": {"acc,none": Figure(0.5, 0.1, (0.4, 0.6))}}
    suite = Suite(("g",), ("g",), {}, {})
    found = suite._group_figures(group("acc,none"), tasks, {"a": 900, "b": 100})
    assert found["acc_macro,none"].value == 0.75
    assert found["acc_macro,none"].stderr == pytest.approx((0.1**2 + 0.1**2) ** 0.5 / 2)
    assert "acc_macro,none" not in suite._group_figures(group(None), tasks, {"a": 900, "b": 100})
    assert "acc_macro,none" not in suite._group_figures(group("acc,none"), {"a": tasks["a"]}, {"a": 900})
