"""--repeats: each answer is kept by itself, and more answers go on from those that there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.engines.mock import MockEngine
from evalkit.runner import Outcome
from evalkit.types import Answer, Generate
from tests.helpers.listening import Heard

SAMPLED = "do_sample=true,temperature=1.0"


def answers(outcome: Outcome) -> list[list[str]]:
    lines = (outcome.path / "samples" / "mini_arithmetic.jsonl").read_text().splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [row["resps"][0] for row in rows if row["filter"] == "strict-match"]


def test_more_answers_go_on_from_those_that_are_kept(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    plain = MockEngine._generate

    def generate(self: MockEngine, id: int, item: Generate, sample: int) -> Answer:
        made.append(sample)
        return plain(self, id, item, sample)

    monkeypatch.setattr(MockEngine, "_generate", generate)
    asked = {"tasks": "mini_arithmetic", "limit": 5, "gen_kwargs": SAMPLED}
    (two,) = corridor(**asked, repeats=2, name="two")
    (four,) = corridor(**asked, repeats=4, name="four")
    assert [texts[:2] for texts in answers(four)] == answers(two)
    assert all(len(set(texts)) > 1 for texts in answers(four))
    assert sorted(made) == sorted([0, 1, 2, 3] * 5)
    assert four.run is not None
    entry = four.run.record.results.tasks["mini_arithmetic"]
    assert entry.headline == "avg@4,strict-match"
    assert {"maj@4,strict-match", "pass@2,flexible-extract"} <= set(entry.metrics)
    assert four.run.record.manifest.tasks["mini_arithmetic"].repeats == 4


def test_a_greedy_model_is_not_asked_again_and_again_unsaid(corridor: Callable[..., list[Outcome]]) -> None:
    heard = Heard()
    corridor(heard, tasks="mini_arithmetic", limit=2, repeats=2)
    assert any("temperature" in note for note in heard.notes)
