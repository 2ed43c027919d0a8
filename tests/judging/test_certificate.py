"""Which figures may rest on a record of how far a judge agreed with people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import evalkit as ek
from evalkit.api.judges import calibrate_judge
from evalkit.judging.certificate import JudgedAnswers, certificate_of, find_certificates, save_certificate
from evalkit.judging.figures import OVERALL, metric_entries
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge, Judgment
from evalkit.judging.records import read_judgments
from evalkit.judging.reports import CalibrationNote
from evalkit.judging.rubricfile import load_rubric
from tests.helpers.judged import write
from tests.helpers.runfolders import TaskRows, write_run

ENGLISH, KOREAN = "An answer in English.", "한국어로 쓴 답입니다."


def keep(root: Path, models: list[str], answer: str, labels: str = "", **labelled: int) -> Path:
    rows = [
        {"item": str(place), "dimension": "q", "score": 3, "system": model, "answer": answer}
        | {"rubric_hash": "h", "judge_fingerprint": "f"}
        for place, model in enumerate(models)
    ]
    judged = read_judgments(write(root / "judgments.jsonl", rows), {})
    figures: dict[str, Any] = {name: {"n": n} for name, n in (labelled or {"q": 40}).items()}
    kept = save_certificate(root, figures, judged, labels or f"{'+'.join(models)}.jsonl")
    assert kept is not None
    return kept


def finder(root: Path) -> Callable[..., dict[str, Any]]:
    def find(language: str, *models: str) -> dict[str, Any]:
        return dict(
            find_certificates(root, "h", [Judge("openai:x", "f")], JudgedAnswers(frozenset(models), language))[0]
        )

    return find


def test_a_record_counts_for_its_models_and_its_language_only(tmp_path: Path) -> None:
    find = finder(tmp_path)
    assert "never held against people" in find("other", "a")["reason"]
    keep(tmp_path, ["a", "b"], ENGLISH)
    keep(tmp_path, ["a"], KOREAN)
    assert find("other", "a", "b")["labels"] == "a+b.jsonl"
    assert find("other", "b")["labels"] == "a+b.jsonl"
    assert find("ko", "a")["labels"] == "a.jsonl", "a record in another language does not replace it"
    for language, model in (("other", "c"), ("ko", "b")):
        missing = find(language, model)
        assert missing["value"] is None
        assert "its calibration record is of" in missing["reason"]
        assert "evalkit judge calibrate" in missing["reason"]
        assert "dimensions" not in missing


def test_a_record_is_of_the_models_whose_answers_people_rated(tmp_path: Path) -> None:
    rows = [
        {"item": f"{model}{place}", "dimension": "q", "score": 1 + place % 5, "system": model, "answer": ENGLISH}
        | {"rubric": "r", "rubric_hash": "h", "judge": "j", "judge_fingerprint": "f"}
        for model in ("rated", "unrated")
        for place in range(10)
    ]
    labels = [{"item": f"rated{place}", "dimension": "q", "human": 1 + place % 4} for place in range(10)]
    judgments = write(tmp_path / "judgments.jsonl", rows)
    calibrated = calibrate_judge(
        judgments, write(tmp_path / "people.jsonl", labels), scale="q=1:5", resamples=20, output_path=tmp_path
    )
    assert calibrated.kept is not None
    assert json.loads(calibrated.kept.read_text())["models"] == ["rated"]
    assert finder(tmp_path)("other", "unrated")["value"] is None


def test_a_record_of_another_language_alone_says_so(tmp_path: Path) -> None:
    keep(tmp_path, ["a"], ENGLISH)
    assert "another language than Korean, these are not" in finder(tmp_path)("ko", "a")["reason"]


def test_a_record_of_an_older_version_is_found_and_checked(tmp_path: Path) -> None:
    kept = keep(tmp_path, ["a"], ENGLISH)
    kept.rename(kept.with_name("h@f.json"))
    assert finder(tmp_path)("other", "a")["labels"] == "a.jsonl"
    assert "not by z" in finder(tmp_path)("other", "z")["reason"]


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    kept = keep(tmp_path, ["a"], ENGLISH)
    for name, content in (("h@f@1.json", "{"), ("h@f@2.json", "[1]"), ("h@f@3.json", "[" * 100_000)):
        (kept.parent / name).write_text(content)
    assert finder(tmp_path)("other", "a")["labels"] == "a.jsonl"


def test_a_figure_does_not_rest_on_labels_of_other_dimensions(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("id: two\ndimensions: {clear: {criteria: x, scale: '1:5'}, right: {criteria: y, scale: '1:5'}}\n")
    rubric = load_rubric(file)
    items = [Item(str(i), str(i), "a", {"answer": ENGLISH}, "chat", i, str(i), None) for i in range(4)]
    judgments = [Judgment(item, name, 3.0) for item in items for name in ("clear", "right", OVERALL)]
    record: CalibrationNote = {"labels": "h.jsonl", "dimensions": {"clear": {"n": 30}, "right": {"n": 0}}}
    figures = metric_entries(judgments, rubric, [Judge("j:x", "f")], {}, {}, [record])
    notes = {name.partition(",")[0]: dict(figure.calibration or {}) for name, figure in figures.items()}
    assert notes["clear"]["labels"] == "h.jsonl"
    for name in ("right", OVERALL):
        assert notes[name]["value"] is None
        assert "say nothing of right" in notes[name]["reason"]


def records(root: Path, *models: str) -> list[CalibrationNote]:
    return find_certificates(root, "h", [Judge("openai:x", "f")], JudgedAnswers(frozenset(models), "other"))


def test_each_dimension_has_the_newest_record_that_covers_it(tmp_path: Path) -> None:
    keep(tmp_path, ["a", "b"], ENGLISH, "first.jsonl", helpful=40)
    newer = keep(tmp_path, ["a"], ENGLISH, "second.jsonl", honest=30, helpful=0)
    os.utime(newer, (2e9, 2e9))
    found = records(tmp_path, "a")
    notes = {name: certificate_of(found, [name]) or {} for name in ("helpful", "honest", "kind")}
    assert notes["helpful"].get("labels") == "first.jsonl"
    assert notes["honest"].get("labels") == "second.jsonl"
    assert "say nothing of kind" in notes["kind"].get("reason", "")
    both = certificate_of(found, ["helpful", "honest"]) or {}
    assert (both.get("labels"), both.get("models")) == ("first.jsonl, second.jsonl", ["a"])
    assert [entry["n"] for entry in (both.get("dimensions") or {}).values()] == [40, 30]
    assert "say nothing of honest" in (certificate_of(records(tmp_path, "b"), ["honest"]) or {}).get("reason", "")


def test_labels_of_another_dimension_do_not_replace_those_of_the_same_answers(tmp_path: Path) -> None:
    first = keep(tmp_path, ["a"], ENGLISH, "first.jsonl", helpful=40, kind=20)
    assert keep(tmp_path, ["a"], ENGLISH, "second.jsonl", honest=30, helpful=0, kind=50) == first
    [record] = records(tmp_path, "a")
    held = record.get("dimensions") or {}
    assert {name: (entry["n"], entry["labels"]) for name, entry in held.items()} == {
        "helpful": (40, "first.jsonl"),
        "honest": (30, "second.jsonl"),
        "kind": (50, "second.jsonl"),
    }
    assert set((record.get("labels") or "").split(", ")) == {"first.jsonl", "second.jsonl"}
    first.write_text("{")
    keep(tmp_path, ["a"], ENGLISH, "third.jsonl", honest=30)
    assert list(records(tmp_path, "a")[0].get("dimensions") or {}) == ["honest"], "what is no record is written anew"


def test_a_gate_says_that_a_record_is_of_other_models(tmp_path: Path) -> None:
    record = {"labels": "h.jsonl", "language": "other", "models": ["a"], "dimensions": {"quality": {"n": 30}}}
    extra = {
        "scale": [0, 1],
        "rubric": {"id": "one", "version": 1, "hash": "h1"},
        "judge": [{"name": "j:x", "fingerprint": "f1"}],
        "fingerprint": "f1",
        "calibration": record,
        "higher_is_better": True,
    }
    values = (np.arange(40) % 2).astype(float)
    for name in ("a", "b"):
        rows = TaskRows(values, metric="quality,one@j:x", figure={"value": 0.5, **extra})
        write_run(tmp_path, name, {"chat": rows}, model=name)
    policy = {"tasks": {"chat": {"metric": "quality,one@j:x", "max_drop": 0.5}}}
    notes = json.loads(ek.gate("a", "b", output_path=tmp_path, policy=policy).json())
    assert "answers by a, not by b" in json.dumps(notes)
