"""`evalkit rate --before`: rates, repetition and perplexity of pairs of answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.checks.repetition import repetition
from evalkit.detectors import detector_named
from evalkit.detectors.answers import read_answers
from evalkit.detectors.change import changes_of, pair_answers
from evalkit.detectors.detector import Detection, Detector, RatedAnswer
from evalkit.detectors.rated import rate_answers
from evalkit.engines import mock
from evalkit.engines.mock import MockEngine
from evalkit.errors import EngineError, EvalkitError, JudgeError, UsageError
from evalkit.reporting import rate_view
from evalkit.runner.perplexity import ModelLogProbability
from evalkit.types import Answer, Work

NO, YES = "I'm sorry, but I cannot help with that.", "Sure, here is how to do it."


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answers(texts: list[str | None], prompts: int | None = None) -> list[dict[str, Any]]:
    return [{"id": f"a{i}", "prompt": f"p{i % (prompts or len(texts))}", "output": t} for i, t in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "share"),
    [("a b c d", 0.0), ("a a a a a a", 2 / 3), ("a b c d a b c d", 1 / 5), ("a b c", None), ("", None)],
)
def test_repetition_is_the_share_of_runs_that_stood_before(text: str, share: float | None) -> None:
    assert repetition(text) == (None if share is None else pytest.approx(share))


def test_a_change_is_paired_and_narrower_than_two_rates(tmp_path: Path) -> None:
    """Of 200 answers 100 refuse before; 20 of them stop, and none begins to."""
    before = answers([NO if i % 2 else YES for i in range(200)])
    after = answers([NO if i % 2 and i >= 40 else YES for i in range(200)])
    old, new = write(tmp_path / "before.jsonl", before), write(tmp_path / "after.jsonl", after[::-1])
    rated = ek.rate(new, before=old, detector="refusal", json=tmp_path / "out.json")
    changes = rated.changes
    assert changes is not None
    assert (changes.pairs, changes.unpaired) == (200, 0)
    assert (changes.raw.before, changes.raw.after) == (0.5, 0.4)
    assert changes.raw.difference == pytest.approx(-0.1)
    assert changes.raw.ci95 is not None
    low, high = changes.raw.ci95
    assert -0.16 < low < -0.1 < high < -0.05
    written = json.loads((tmp_path / "out.json").read_text())["changes"]
    assert written["raw"]["ci95"] == [low, high]
    assert written["repetition"]["n"] == 200
    assert "raw 50.00% → 40.00%, -10.00%" in repr(rated)
    several = ek.rate(
        write(tmp_path / "n.jsonl", answers([row["output"] for row in after], 20)),
        before=write(tmp_path / "o.jsonl", answers([row["output"] for row in before], 20)),
        detector="refusal",
    ).changes
    assert several is not None
    assert several.raw.ci95 is not None
    assert several.raw.difference == pytest.approx(-0.1)
    assert several.raw.ci95 != changes.raw.ci95, "answers to one prompt are a cluster"


def test_no_change_still_has_an_interval(tmp_path: Path) -> None:
    rows = write(tmp_path / "a.jsonl", answers([YES] * 50))
    changes = ek.rate(rows, before=rows, detector="refusal").changes
    assert changes is not None
    assert changes.raw.ci95 is not None
    assert changes.raw.ci95[0] < -0.05 < 0 < 0.05 < changes.raw.ci95[1]
    assert changes.repetition is not None
    assert changes.repetition.ci95 is not None
    assert changes.repetition.ci95[0] < -0.05 < 0 < 0.05 < changes.repetition.ci95[1]


def test_what_cannot_be_paired_is_refused(tmp_path: Path) -> None:
    rows = write(tmp_path / "a.jsonl", answers([YES] * 20))
    others = write(tmp_path / "b.jsonl", [{**row, "id": f"b{row['id']}"} for row in answers([YES] * 20)])
    asked = write(tmp_path / "c.jsonl", [{**row, "prompt": "another"} for row in answers([YES] * 20)])
    few = write(tmp_path / "d.jsonl", answers([YES] * 12 + [None] * 8))
    with pytest.raises(UsageError, match="no id of"):
        ek.rate(rows, before=others, detector="refusal")
    with pytest.raises(UsageError, match="a0 was another prompt"):
        ek.rate(rows, before=asked, detector="refusal")
    with pytest.raises(JudgeError, match="12 of 20 answers have a pair"):
        ek.rate(rows, before=few, detector="refusal")
    with pytest.raises(UsageError, match="needs --before"):
        ek.rate(rows, perplexity_under="gpt2", detector="refusal")
    changes = ek.rate(rows, before=few, detector="refusal", min_coverage=0.5).changes
    assert changes is not None
    assert (changes.pairs, changes.unpaired) == (12, 16)


class Counted:
    """A detector that counts the answers it is asked about."""

    def __init__(self, inner: Detector) -> None:
        self.inner, self.info, self.asked = inner, inner.info, 0

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        self.asked += len(answers)
        return self.inner.detect(answers)


def test_nothing_is_judged_before_all_arguments_and_files_are_known_to_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(detector_named("refusal"))
    monkeypatch.setattr("evalkit.api.rates.detector_of", lambda asked, typed: counted)
    rows = write(tmp_path / "a.jsonl", answers([YES] * 20))
    others = write(tmp_path / "b.jsonl", [{**row, "id": f"b{row['id']}"} for row in answers([YES] * 20)])
    labels = write(tmp_path / "l.jsonl", [{"id": "c1", "label": True}])
    few = write(tmp_path / "few.jsonl", [{"id": "a1", "label": True}])
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"perplexity_under": "gpt2"}, "needs --before"),
        ({"before": rows, "model_args": "dtype=float32"}, "--model-args is of --perplexity-under"),
        ({"before": tmp_path / "none.jsonl"}, "cannot be read"),
        ({"before": others}, "no id of"),
        ({"labels": tmp_path / "none.jsonl"}, "cannot be read"),
        ({"labels": labels}, "not in"),
        ({"labels": few}, "1 labels of these answers, and 30 are needed"),
    ]
    for asked, message in wrong:
        with pytest.raises(EvalkitError, match=message):
            ek.rate(rows, detector="refusal", **asked)
    assert counted.asked == 0
    ek.rate(rows, before=rows, detector="refusal")
    assert counted.asked == 40, "each answer once"


@pytest.mark.parametrize(
    ("after", "value"), [(-20_000.0, None), (-2000.0, None), (-700.0, 700.0), (-math.inf, None), (-0.5, 0.5)]
)
def test_a_perplexity_that_no_float_holds_is_null_with_a_reason(
    tmp_path: Path, after: float, value: float | None
) -> None:
    """The changes of two pairs differ as much as their values, so that a bound overflows before its value does."""
    rows = read_answers(write(tmp_path / "a.jsonl", answers([YES, NO, "Yes."])))
    refusal = detector_named("refusal")
    said = iter([[(-1.0, 1)] * 3, [(after, 1), (after / 2, 1), None]])
    found = refusal.detect(rows.answers)
    changes = replace(changes_of(pair_answers(rows, rows), found, refusal, 0.5, lambda texts: next(said)), model="m")
    rated = rate_answers(rows, refusal.info, found, None, "", 0.5, groups=False)
    rated = replace(rated, changes=changes)
    written = json.loads(json.dumps(rate_view.content(rated), allow_nan=False))["changes"]["perplexity"]
    text = rate_view.as_text(rated)
    if after == -math.inf:
        assert (written["value"], written["reason"]) == (None, "no pair has answers that it could score")
    elif value is None:
        assert written == {"under": "m", "value": None, "reason": "too large for a number"}
        assert "is not known: too large for a number" in text
    elif value > 1:
        assert written["value"]["ci95"] is None
        assert "too large" in written["value"]["reason"]
        assert "a bound of the interval is too large for a number" in text
    else:
        assert written["value"]["ci95"][0] < written["value"]["ratio"] < written["value"]["ci95"][1]
        assert "(geometric mean over answers), 2 pairs:" in text, "one of the three has none"
        assert "that stood in the answer before), 2 pairs:" in text, "one is shorter than four words"
    assert "against the answers before, 3 pairs" in text


@pytest.mark.parametrize(("share", "text"), [(-1e-7, "0.00%"), (0.0, "0.00%"), (-0.1, "-10.00%"), (0.1, "+10.00%")])
def test_what_is_nothing_has_no_sign(share: float, text: str) -> None:
    assert rate_view._signed(share) == text


def test_an_engine_that_ends_without_a_score_is_an_error_and_the_others_are_kept(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[MockEngine] = []

    class Loses(MockEngine):
        def _answer(self, item: Work) -> Iterator[Answer]:
            return (answer for answer in super()._answer(item) if answer.id != 1 or len(engines) > 1)

    def start(model: Any, tokenizer: Any, adapters: Any, settings: Any) -> MockEngine:
        engines.append(Loses())
        return engines[-1]

    monkeypatch.setattr("evalkit.runner.perplexity.choose", lambda _: replace(mock.SPEC, start=start))
    under = ModelLogProbability(str(tiny_model), {}, tmp_path / "runs")
    asked = [RatedAnswer(str(i), f"p{i}", " one two") for i in range(3)]
    with pytest.raises(EngineError, match="mock ended without the log-probabilities of 1 answers"):
        under(asked)
    assert all(value is not None for value in under(asked))
    assert [sorted(engine.sent) for engine in engines] == [[0, 1, 2], [1]]


def test_perplexity_is_that_of_the_model_itself(tmp_path: Path, tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before, after = [" one two three", " a b c d", ""], [" three two one and on", " d c b", " x"]
    old, new = write(tmp_path / "o.jsonl", answers(before)), write(tmp_path / "n.jsonl", answers(after))
    asked: dict[str, Any] = {"perplexity_under": str(tiny_model), "model_args": "dtype=float32", "min_coverage": 0.5}
    changes = ek.rate(new, before=old, detector="refusal", output_path=tmp_path / "runs", **asked).changes
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)

    def surprise(prompt: str, text: str) -> float:
        context = tokenizer.encode(prompt, add_special_tokens=False)
        whole = tokenizer.encode(prompt + text, add_special_tokens=False)
        with torch.no_grad():
            logprobs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        kept = [float(logprobs[at - 1, whole[at]]) for at in range(len(context), len(whole))]
        return -sum(kept) / len(kept)

    pairs = [(surprise(f"p{i}", before[i]), surprise(f"p{i}", after[i])) for i in range(2)]
    assert changes is not None
    assert changes.perplexity is not None
    assert changes.perplexity.n == 2, "an empty answer has none"
    assert changes.perplexity.before == pytest.approx(math.exp(sum(was for was, _ in pairs) / 2), rel=1e-4)
    assert changes.perplexity.after == pytest.approx(math.exp(sum(now for _, now in pairs) / 2), rel=1e-4)
    assert changes.perplexity.difference == pytest.approx(
        changes.perplexity.after / changes.perplexity.before, rel=1e-9
    )
