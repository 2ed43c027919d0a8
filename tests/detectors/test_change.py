"""`evalkit rate --before`: rates, repetition and perplexity of pairs of answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.checks.repetition import repetition
from evalkit.errors import JudgeError, UsageError

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
