"""`evalkit rate`: raw and corrected rates, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evalkit as ek
from evalkit.detectors.labelling import Labelled
from evalkit.detectors.rates import corrected_rate, raw_rate
from evalkit.errors import ConfigError, EvalkitError, JudgeError, UsageError
from evalkit.judging.ppi import powered_mean
from evalkit.stats import wilson
from evalkit.stats.corrected import corrected_interval, rogan_gladen

NO, YES = "I'm sorry, but I cannot help with that.", "Sure, here is how."


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    rows = [
        {"id": f"a{i}", "prompt": f"p{i}", "output": NO if i % 4 == 0 else YES, "kind": "xy"[i % 2]} for i in range(200)
    ]
    return write(tmp_path / "answers.jsonl", rows)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """People find every refusal that the matcher finds, and one in ten of the others."""
    rows = [{"id": f"a{i}", "label": i % 4 == 0 or i % 10 == 1} for i in range(0, 200, 3)]
    return write(tmp_path / "labels.jsonl", rows)


def test_the_json_is_what_the_contract_says(answers: Path, labels: Path, tmp_path: Path) -> None:
    ek.rate(answers, detector="refusal", json=tmp_path / "raw.json")
    raw = json.loads((tmp_path / "raw.json").read_text())
    assert set(raw) == {"n", "raw", "corrected", "reason"}
    interval = wilson(50, 200)
    assert raw["n"] == 200
    assert raw["raw"] == {"rate": 0.25, "ci95": [interval.low, interval.high]}
    assert raw["corrected"] is None
    assert "no labels" in raw["reason"]
    said = repr(ek.rate(answers, detector="refusal", labels=labels, json=tmp_path / "out.json"))
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["reason"] is None
    assert set(out["corrected"]) == {"rate", "ci95", "sensitivity", "specificity", "labels"}
    assert out["corrected"]["labels"] == 67
    assert out["corrected"]["specificity"] == 1.0
    low, high = out["corrected"]["ci95"]
    assert low <= out["corrected"]["rate"] <= high
    assert "Rogan–Gladen" in said
    assert "cannot be checked" in said
    assert "cannot be checked" in out["notes"][0]


def test_a_rate_that_was_not_corrected_is_called_raw_everywhere(answers: Path) -> None:
    rated = ek.rate(answers, detector="refusal", by="kind")
    for text in (repr(rated), rated.markdown()):
        figures = [line for line in text.splitlines() if "% – " in line]
        assert figures
        assert all("raw" in line for line in figures)


def test_the_corrected_rate_is_prediction_powered() -> None:
    chance = random.Random(3)
    people = [chance.random() < 0.3 for _ in range(80)]
    detector = [chance.random() < (0.5 if one else 0.1) for one in people]
    rest = [chance.random() < 0.22 for _ in range(700)]
    found = corrected_rate(Labelled(tuple(people), tuple(detector), tuple(rest)))
    assert found.rate == pytest.approx(powered_mean(people, detector, rest).value, abs=1e-12)
    apparent = (sum(detector) + sum(rest)) / 780
    assert found.sensitivity is not None
    assert found.specificity is not None
    assert found.rogan_gladen == pytest.approx(
        (apparent + found.specificity - 1) / (found.sensitivity + found.specificity - 1)
    )


def test_rogan_gladen_is_not_known_of_a_detector_that_tells_nothing() -> None:
    assert rogan_gladen(0.3, 0.4, 0.6) is None
    assert rogan_gladen(0.3, None, 0.9) is None
    assert rogan_gladen(0.02, 0.9, 0.9) == 0.0


@pytest.mark.parametrize("true", [0.1, 0.5])
@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.3, 0.95), (0.95, 0.95)])
def test_corrected_intervals_cover_the_truth(true: float, sensitivity: float, specificity: float) -> None:
    """A small run of bench/corrected_rates.py, which has the figures: 100 labels of 1,000 answers."""
    chance, covered, runs = np.random.default_rng(7), 0, 60
    for _ in range(runs):
        people = chance.random(1000) < true
        detector = np.where(people, chance.random(1000) < sensitivity, chance.random(1000) >= specificity)
        low, high = corrected_interval(people[:100].tolist(), detector[:100].tolist(), detector[100:].tolist())
        covered += low <= true <= high
    assert covered / runs >= 0.88


def test_labels_of_one_kind_leave_a_figure_unknown(answers: Path, tmp_path: Path) -> None:
    none = write(tmp_path / "none.jsonl", [{"id": f"a{i}", "label": False} for i in range(40)])
    rated = ek.rate(answers, detector="refusal", labels=none)
    assert rated.result.corrected is not None
    assert rated.result.corrected.sensitivity is None
    assert "sensitivity is not known" in str(rated.result.reason)
    assert 0 < rated.result.corrected.ci95[1] < 0.2


def test_answers_to_one_prompt_are_no_independent_evidence(tmp_path: Path) -> None:
    found = [place < 120 for place in range(400)]
    alone = raw_rate(found, [str(place) for place in range(400)])
    alike = raw_rate(found, [str(place // 10) for place in range(400)])
    assert alike.ci95[1] - alike.ci95[0] > 2 * (alone.ci95[1] - alone.ci95[0])
    rows = [{"id": i, "prompt": f"p{i // 4}", "output": NO if i % 8 == 0 else YES} for i in range(200)]
    rated = ek.rate(write(tmp_path / "k.jsonl", rows), detector="refusal")
    assert rated.result.by_prompt is not None
    assert rated.result.by_prompt.prompts == 50
    assert rated.result.by_prompt.at_least_one.rate == 0.5
    assert rated.result.by_prompt.expected_maximum.rate == 0.5
    assert json.loads(rated.json())["by_prompt"]["prompts"] == 50
    calm = ek.rate(write(tmp_path / "calm.jsonl", [{**row, "output": YES} for row in rows]), detector="refusal")
    assert calm.result.by_prompt is not None
    assert calm.result.by_prompt.expected_maximum.rate == 0.0
    assert calm.result.by_prompt.expected_maximum.ci95[1] > 0.05, "nothing in 50 prompts does not mean never"


def test_groups_are_held_against_the_rest_with_holms_correction(tmp_path: Path) -> None:
    rows = [
        {"id": i, "prompt": str(i), "output": NO if i % 3 == 0 and i % 2 == 0 else YES, "kind": "xyz"[i % 3]}
        for i in range(300)
    ]
    rated = ek.rate(write(tmp_path / "g.jsonl", rows), detector="refusal", by="kind")
    groups = {group.name: group for group in rated.result.groups}
    assert {name: group.raw.rate for name, group in groups.items()} == {"x": 0.5, "y": 0.0, "z": 0.0}
    assert all(group.p_holm is not None and group.p_holm < 1e-3 for group in groups.values())


def test_a_runs_own_rows_are_answers_sample_by_sample(tmp_path: Path) -> None:
    rows = [{"doc_id": i, "arguments": [[f"p{i}", {}]], "resps": [[NO, YES]], "doc": {"kind": "a"}} for i in range(3)]
    rated = ek.rate(write(tmp_path / "task.jsonl", rows), detector="refusal", by="kind")
    assert (rated.n, rated.raw.rate) == (6, 0.5)
    assert rated.result.groups[0].name == "a"


def test_a_sample_to_label_knows_whose_answers_it_holds(answers: Path, tmp_path: Path) -> None:
    ek.rate(answers, detector="refusal", model="mine", to_label=tmp_path / "todo.jsonl", sample=40)
    todo = [json.loads(line) for line in (tmp_path / "todo.jsonl").read_text().splitlines()]
    assert len({row["id"] for row in todo}) == 40
    with pytest.raises(UsageError, match="0 labels"):
        ek.rate(answers, detector="refusal", labels=tmp_path / "todo.jsonl")
    done = write(tmp_path / "done.jsonl", [{**row, "label": row["output"] == NO} for row in todo])
    assert ek.rate(answers, detector="refusal", model="mine", labels=done).result.notes == ()
    with pytest.raises(UsageError, match=r"labels an answer of mine, and these answers are other's"):
        ek.rate(answers, detector="refusal", model="other", labels=done)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    theirs = write(tmp_path / "theirs.jsonl", [{**row, "output": "Another answer."} for row in rows])
    with pytest.raises(UsageError, match=r"labels another answer to"):
        ek.rate(theirs, detector="refusal", labels=done)


WRONG: list[tuple[str, str]] = [
    ("", "holds no answer"),
    ('{"id": "a", "prompt": "p"}', r":1: no output"),
    ('{"id": "a", "output": "x"}\n{"id": "a", "output": "x"}', r":2: id 'a' stands in .*:1 already"),
    ('{"id": 1.5, "output": "x"}', "text or a whole number is wanted"),
    ('{"id": "a", "output": 3}', "output is 3; text is wanted"),
    ("[1]", "an object is wanted"),
    ("{", "is not JSON"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_whatever_is_wrong_with_answers_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=message):
        ek.rate(tmp_path / "a.jsonl", detector="refusal")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a0", "label": "yes"}], "true or false is wanted"),
        ([{"id": "a0", "lable": True}], r"no label; did you mean lable"),
        ([{"id": "a0", "label": True}] * 2, "is labelled in"),
        ([{"id": "b0", "label": True}], r"1 of 1 labels are of answers that are not in"),
        ([{"id": f"a{i}", "label": True} for i in range(29)], r"29 labels .* and 30 are needed"),
    ],
)
def test_labels_that_cannot_be_used_are_exit_2(answers: Path, tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(EvalkitError, match=message) as raised:
        ek.rate(answers, detector="refusal", labels=write(tmp_path / "l.jsonl", rows))
    assert raised.value.exit_code == 2


def test_unknown_groups_and_files_are_exit_2(answers: Path, tmp_path: Path) -> None:
    for asked, message in [({"by": "knd"}, "did you mean kind"), ({"labels": tmp_path / "no"}, "cannot be read")]:
        with pytest.raises(EvalkitError, match=message) as raised:
            ek.rate(answers, detector="refusal", **asked)  # type: ignore[arg-type]
        assert raised.value.exit_code == 2
    with pytest.raises(UsageError, match="--detector NAME is missing"):
        ek.rate(answers)


def test_text_that_utf8_cannot_hold_is_written(tmp_path: Path) -> None:
    rows = [{"id": str(n), "output": "I can't help with that.", "kind": "a\ud800b"} for n in range(4)]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ek.rate(path, detector="refusal", by="kind", markdown=tmp_path / "r.md", json=tmp_path / "r.json")
    assert "a?b" in (tmp_path / "r.json").read_text(encoding="utf-8")
    assert (tmp_path / "r.md").read_text(encoding="utf-8")


def test_a_coverage_that_is_too_low_is_exit_4(tmp_path: Path) -> None:
    rows = [{"id": i, "prompt": "", "output": YES if i < 8 else None} for i in range(10)]
    file = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(JudgeError, match=r"verdict on 80.0% of 10 answers, and 90% are wanted .* no answer") as raised:
        ek.rate(file, detector="refusal")
    assert raised.value.exit_code == 4
    rated = ek.rate(file, detector="refusal", min_coverage=0.5)
    assert (rated.n, rated.result.missing) == (8, 2)


def test_a_judge_is_asked_for_by_its_rubric(answers: Path) -> None:
    for asked, message in [
        ({"detector": "judge:refusal"}, "needs --judge ENGINE:MODEL"),
        ({"detector": "judge:"}, "type judge:RUBRIC"),
        ({"detector": "judge:instruction-following", "judge": "openai:x"}, "a rubric with one dimension"),
        ({"detector": "judge:refusl", "judge": "openai:x"}, "did you mean refusal"),
        ({"detector": "refusal", "judge": "openai:x"}, "--judge goes with --detector judge:RUBRIC or self-consistency"),
    ]:
        with pytest.raises(UsageError, match=message):
            ek.rate(answers, **asked)
