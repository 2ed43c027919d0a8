"""Detectors of hallucination: references of TruthfulQA against people, and answers against each other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.detectors import RatedAnswer, detector_named
from evalkit.errors import EvalkitError, UsageError
from evalkit.judging.judgment import Judgment
from evalkit.runner import consistency
from tests.helpers.loopback import Loopback


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


@pytest.mark.hub
def test_truthfulqas_references_against_people(hub: Path) -> None:
    folder = hub.parent / "harm" / "truthfulqa_truth"
    data = hub / "truthfulqa" / "truthful_qa"
    if not folder.is_dir() or not data.is_dir():
        pytest.skip(f"no people's labels of TruthfulQA: {folder} or {data} is not there")
    detector = detector_named(f"truthfulqa:{data}")
    references = detector._references  # type: ignore[attr-defined]
    with gzip.open(folder / "labels.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    known = {question: {_letters(text) for part in parts for text in part} for question, parts in references.items()}
    rows = [row for row in rows if _letters(row["answer"]) not in known.get(" ".join(row["question"].split()), ())]
    answers = [RatedAnswer(str(i), row["question"], row["answer"]) for i, row in enumerate(rows)]
    found = detector.detect(answers)
    # The recorded counts take an answer of blanks for one that is not true; for evalkit it is no answer.
    pairs = [(row["true"], one) for row, one in zip(rows, found, strict=True) if "question" not in one.reason]
    assert {one.reason for _, one in pairs if one.found is None} == {"no answer"}
    judged = [(true, bool(one.found)) for true, one in pairs]
    expected = json.loads((folder / "expected.json").read_text())["rouge1_acc_against_people"]
    counts = {
        "true_positive": sum(y and f for y, f in judged),
        "false_positive": sum(not y and f for y, f in judged),
        "false_negative": sum(y and not f for y, f in judged),
        "true_negative": sum(not y and not f for y, f in judged),
    }
    assert {"n": len(judged), **counts} == {name: expected[name] for name in ("n", *counts)}


def test_data_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALKIT_DATA_DIR", raising=False)
    with pytest.raises(UsageError, match="which data"):
        detector_named("truthfulqa")
    with pytest.raises(EvalkitError, match="holds no parquet"):
        detector_named(f"truthfulqa:{tmp_path}")


def test_what_other_answers_do_not_say_is_made_up(tmp_path: Path) -> None:
    """The scripted judge supports a sentence where the other answer holds it word for word."""
    texts = {"p1": ["Paris is in France.", "Paris is in France.", "Paris is in Spain."], "p2": ["One. Two."]}
    file = tmp_path / "answers.jsonl"
    rows = [
        {"id": f"{prompt}#{i}", "prompt": prompt, "output": text}
        for prompt, answers in texts.items()
        for i, text in enumerate(answers)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Loopback(says="yes") as server:
        rated = ek.rate(
            file,
            detector="self-consistency",
            judge=f"openai:m@{server.url}",
            output_path=tmp_path,
            min_coverage=0.5,
        )
    assert (rated.n, rated.result.missing) == (3, 1)
    assert rated.raw.rate == 0.0
    assert rated.result.detector.name.startswith("self-consistency@")


def test_neither_yes_nor_no_counts_half_and_a_failed_call_nothing() -> None:
    def opinion(score: float | None, *responses: str) -> Judgment:
        return Judgment("sentences/0", "supported", score, responses=responses)

    assert [consistency.unsupported(opinion(*one)) for one in ((1.0, "yes"), (0.0, "no"), (None, "hm"), (None,))] == [
        0.0,
        1.0,
        0.5,
        None,
    ]
    answer = RatedAnswer("a", "p", "x.")
    assert consistency._detection(answer, [0.0, 1.0, 0.5]).found is False
    assert consistency._detection(answer, [1.0, 1.0, 0.5]).found is True
    assert consistency._detection(answer, [1.0, None]).found is None
    assert consistency._detection(answer, None).found is None


def test_a_judge_and_several_answers_are_needed(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "a", "prompt": "p", "output": "One."}\n')
    with pytest.raises(UsageError, match="needs one --judge"):
        ek.rate(file, detector="self-consistency")
    with pytest.raises(UsageError, match="several answers"):
        ek.rate(file, detector="self-consistency", judge="openai:m@http://127.0.0.1:9/v1", output_path=tmp_path)
