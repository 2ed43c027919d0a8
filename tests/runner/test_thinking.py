"""Runs of a model that thinks: unfinished thoughts have no score, and a budget closes them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.engines.mock import MockEngine
from evalkit.errors import UsageError
from evalkit.gating import gate
from evalkit.reporting.run_view import report
from evalkit.runner import Outcome, run
from evalkit.tokens.thinking import Thinking, split
from evalkit.types import Answer, Generate, Generated, Work
from tests.helpers.listening import Heard

NEEDED = 20
"""Tokens that the scripted model thinks before it answers."""


class Thinker(MockEngine):
    """Thinks for some tokens, in which the right answer stands already, then answers; its texts are split for real."""

    asked = 0
    quick = 0
    """Every so-many-th prompt, by its length, needs few tokens; 0: none does."""
    lost = 0
    """Which of its answers never comes; 0: all come."""

    def _answer(self, item: Work) -> Iterator[Answer]:
        for answer in super()._answer(item):
            if type(self).asked != self.lost:
                yield answer

    def _generate(self, id: int, item: Generate, sample: int) -> Answer:
        type(self).asked += 1
        thinking, most = Thinking("</think>", "<think>", opened=True), item.sampling.max_tokens
        if str(item.text).endswith("</think>\n\n"):
            return Generated(id, *self._read("#### 4", "stop", item, None), tokens=3)
        if most < NEEDED and not (self.quick and len(str(item.text)) % self.quick == 0):
            text, thought, finish = split("so\n\n#### 4 " * 2, "length", item.sampling.stop, thinking)
            return Generated(id, text, finish, most, thought)
        text, thought, finish = split("so\n\n#### 4</think>#### 4\n\nQuestion:", "stop", item.sampling.stop, thinking)
        return Generated(id, text, finish, NEEDED, thought)

    @staticmethod
    def _read(text: str, finish: Any, item: Generate, thinking: Thinking | None) -> tuple[str, Any]:
        found = split(text, finish, item.sampling.stop, thinking)
        return found[0], found[2]


@pytest.fixture
def think(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    def start(model: Any, tokenizer: Any, adapters: Any, settings: Any) -> Thinker:
        return Thinker(die_after=deaths.pop() if deaths else None, window=windows[0])

    deaths: list[int] = []
    windows = [1]
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: dataclasses.replace(mock.SPEC, start=start))

    def go(die_after: int | None = None, window: int = 1, **asked: Any) -> Outcome:
        windows[0] = window
        deaths[:] = [] if die_after is None else [die_after]
        Thinker.asked = 0
        flags = {"model": str(tiny_model), "tasks": "mini_arithmetic", "limit": 4, "think_end": "</think>"}
        config = RunConfig.build(**{**flags, "output_path": str(tmp_path / "results"), **asked})
        (outcome,) = run(config, Heard(), report)
        return outcome

    return go


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    lines = (outcome.path / "samples" / "mini_arithmetic.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["filter"] == "strict-match"]


def test_an_unfinished_thought_is_counted_and_never_scored(think: Callable[..., Outcome]) -> None:
    whole = think(name="whole")
    cut = think(name="cut", gen_kwargs="max_gen_toks=5")
    assert (whole.exit_code, cut.exit_code) == (0, 0)
    entry = cut.run.record.results.tasks["mini_arithmetic"]  # type: ignore[union-attr]
    assert (entry.n, entry.unfinished.value) == (0, 4)
    assert entry.metrics["exact_match,strict-match"].value is None
    assert entry.thinking is not None
    assert entry.thinking.unfinished == 1.0
    assert [row["exact_match"] for row in rows_of(cut)] == [None] * 4
    assert [row["finish"] for row in rows_of(cut)] == [["unfinished"]] * 4
    finished = whole.run.record.results.tasks["mini_arithmetic"]  # type: ignore[union-attr]
    assert finished.n == 4
    assert finished.thinking is not None
    assert finished.thinking.unfinished == 0.0
    assert rows_of(whole)[0]["resps"] == [["#### 4"]]  # the stop strings count after the thought only
    assert rows_of(whole)[0]["reasoning"] == ["so\n\n#### 4"]


def test_the_gate_counts_unfinished_thoughts(think: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = think(name="whole", limit=80)
    monkeypatch.setattr(Thinker, "quick", 2)  # every other document is thought over quickly
    cut = think(name="cut", limit=80, gen_kwargs="max_gen_toks=5")
    assert whole.run is not None
    assert cut.run is not None
    (task,) = gate(whole.run, cut.run, allow=["generation"]).tasks
    flag = next(flag for flag in task.flags if flag.kind == "unfinished")
    entry = cut.run.record.results.tasks["mini_arithmetic"]
    assert (flag.baseline, flag.candidate, flag.n) == (0, entry.unfinished.value, 80)
    assert flag.verdict == "regression"
    assert entry.n == 80 - (entry.unfinished.value or 0)
    assert task.missing_candidate == entry.unfinished.value


@pytest.mark.parametrize(("lost", "window"), [(2, 1), (4, 8), (8, 8)])
def test_an_answer_that_never_comes_ends_the_run_and_not_the_others(
    think: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, lost: int, window: int
) -> None:
    """With a budget the plan waits for answers, of which other requests may follow."""
    monkeypatch.setattr(Thinker, "lost", lost)
    outcome = think(window=window, think_budget=5)
    assert outcome.exit_code == 4
    assert "ended without the answers of 1 documents" in str(outcome.problem)
    assert [row["resps"] for row in rows_of(outcome) if row["resps"]] == [[["#### 4"]]] * 3
    monkeypatch.setattr(Thinker, "lost", 0)
    again = think(think_budget=5)
    assert again.exit_code == 0
    assert Thinker.asked <= 2, "the others' answers are kept"
    assert again.run is not None
    assert again.run.record.results.timing.own_share == Thinker.asked / 8


def test_a_budget_closes_the_thought_and_asks_for_the_answer(think: Callable[..., Outcome]) -> None:
    closed = think(name="budget", think_budget=5)
    assert closed.exit_code == 0
    assert Thinker.asked == 8
    row = rows_of(closed)[0]
    assert row["resps"] == [["#### 4"]]
    assert row["finish"] == ["stop"]
    assert row["reasoning"][0].startswith("so")
    enough = think(name="enough", think_budget=30)
    assert Thinker.asked == 4
    assert rows_of(enough)[0]["resps"] == [["#### 4"]]
    again = think(name="budget", think_budget=5)
    assert Thinker.asked == 0
    assert again.path == closed.path


def test_an_engine_that_takes_all_documents_at_once_is_asked_for_the_answers_too(think: Callable[..., Outcome]) -> None:
    wide = think(name="wide", think_budget=5, window=64)
    assert wide.exit_code == 0
    assert Thinker.asked == 8
    assert rows_of(wide)[0]["resps"] == [["#### 4"]]
    assert [row["finish"] for row in rows_of(wide)] == [["stop"]] * 4


def test_a_run_that_dies_between_thought_and_answer_goes_on_there(think: Callable[..., Outcome]) -> None:
    first = think(name="died", think_budget=5, die_after=3)
    assert first.exit_code != 0
    second = think(name="died", think_budget=5)
    assert second.exit_code == 0
    assert Thinker.asked == 8 - 3


def test_what_contradicts_itself_is_refused(think: Callable[..., Outcome]) -> None:
    with pytest.raises(UsageError, match="not known to think"):
        think(think_end=None, think_budget=5)
    with pytest.raises(UsageError, match="contradict"):
        think(no_think=True)
    with pytest.raises(UsageError, match="--think-end"):
        think(think_end=None, think_start="<t>")
