"""A judge that gives numbers: scores on a scale, preferences from differences, and what the journal keeps of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from evalkit.journal import Journal
from evalkit.judging.backends.scalar import ScalarJudge, ScalarRequest, preference
from evalkit.judging.backends.spec import JudgeOptions
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judge
from evalkit.judging.rubric import Dimension, Rubric
from evalkit.judging.rubricfile import load_rubric
from evalkit.judging.run import judge_all


def rubric(folder: Path, kind: str = "pointwise") -> Rubric:
    scale = "{labels: {A: 1, B: 0}}" if kind == "pairwise" else "'0:10'"
    text = f"id: rewards\nkind: {kind}\ndimensions: {{quality: {{criteria: Is it good, scale: {scale}}}}}\n"
    (folder / f"{kind}.yaml").write_text(text)
    return load_rubric(folder / f"{kind}.yaml")


def item(number: int, answer: str, other: str | None = None, missing: str | None = None) -> Item:
    place = f"t/{number}"
    return Item(place, place, "us", {"instruction": "Say", "answer": answer}, "t", number, "", None, missing, other)


class Lengths:
    """Scores an answer by its length; counts the answers that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, requests: Sequence[ScalarRequest]) -> list[float | str]:
        self.asked += [request.inputs["answer"] for request in requests]
        return [float(len(text)) if (text := request.inputs["answer"]) else "empty" for request in requests]


def judge(journal: Journal, score: Lengths, options: JudgeOptions | None = None, batch: int = 2) -> ScalarJudge:
    return ScalarJudge(Judge("lengths:x", "lengths/1"), journal, score, options or JudgeOptions(), batch=batch)


def test_numbers_are_scores_on_the_scale_and_anything_else_has_a_reason(tmp_path: Path) -> None:
    items = [item(0, "four"), item(1, "more than ten"), item(2, ""), item(3, "x", missing="no answer"), item(4, "four")]
    with Journal.open(tmp_path / "results") as journal:
        score = Lengths()
        judgments = judge_all(rubric(tmp_path), items, judge(journal, score))
    assert [j.score for j in judgments] == [4.0, None, None, None, 4.0]
    assert [j.reason for j in judgments[1:4]] == [
        "the score 13 is not on the scale from 0 to 10",
        "empty",
        "no answer",
    ]
    assert score.asked.count("four") == 1, "equal requests have one answer"


def test_what_the_journal_holds_is_not_asked_again(tmp_path: Path) -> None:
    items = [item(number, "x" * (number + 1)) for number in range(5)]
    with Journal.open(tmp_path / "results") as journal:
        first, again, replayed = Lengths(), Lengths(), Lengths()
        before = judge_all(rubric(tmp_path), items[:3], judge(journal, first))
        second = judge(journal, again)
        after = judge_all(rubric(tmp_path), items, second)
        assert (second.reused, second.asked, again.asked) == (3, 2, ["xxxx", "xxxxx"])
        assert [j.score for j in after[:3]] == [j.score for j in before]
        kept = judge(journal, replayed, JudgeOptions(ask=False))
        unknown = judge_all(rubric(tmp_path), [*items, item(9, "unknown")], kept)
    assert not replayed.asked
    assert (unknown[-1].score, unknown[-1].reason) == (None, "not in the journal")


def test_of_two_answers_the_difference_of_their_numbers_decides(tmp_path: Path) -> None:
    items = [item(0, "longer one", "short"), item(1, "same", "same"), item(2, "a", ""), item(3, "tie", "one")]
    with Journal.open(tmp_path / "results") as journal:
        judgments = judge_all(rubric(tmp_path, "pairwise"), items, judge(journal, Lengths()))
    assert judgments[0].score == pytest.approx(1 / (1 + math.exp(-5)))
    assert [j.score for j in judgments[1:]] == [0.5, None, 0.5]
    assert judgments[2].reason == "empty"
    assert preference(1e9, -1e9) == 1.0
    assert preference(-1e9, 1e9) == 0.0


def test_it_stops_between_batches(tmp_path: Path) -> None:
    score = Lengths()
    with Journal.open(tmp_path / "results") as journal:
        asked = judge(journal, score, JudgeOptions(stopped=lambda: len(score.asked) >= 2))
        assert len(judge_all(rubric(tmp_path), [item(n, "x" * (n + 1)) for n in range(6)], asked)) == 2


def test_a_dimension_is_part_of_the_request(tmp_path: Path) -> None:
    first = rubric(tmp_path).dimensions[0]
    request = ScalarRequest(rubric(tmp_path), first, {"answer": "x"})
    other = ScalarRequest(rubric(tmp_path), Dimension("brevity", "Is it short", (), first.scale), {"answer": "x"})
    assert request.identity != other.identity
