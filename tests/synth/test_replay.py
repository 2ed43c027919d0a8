"""A recorded Self-Instruct run, made again from its files: equal to the last bit."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.synth import read_recorded, replay
from evalkit.synth.filters import refusal
from evalkit.synth.parsing import candidates
from evalkit.synth.prompts import draw_examples, prompt_text
from evalkit.synth.recipe import SELF_INSTRUCT
from evalkit.synth.similarity import Tokens, rouge_l, words
from tests.helpers.judged import ROOT


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A copy of the recorded run, to be changed at will."""
    folder = ROOT.parent / "shared" / "synth" / "recorded-1"
    if not folder.is_dir():
        pytest.skip(f"no recorded run: {folder} is not a folder")
    return Path(shutil.copytree(folder, tmp_path / "run"))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_same_instructions_are_kept_with_the_same_figures(recorded: Path) -> None:
    again = replay(read_recorded(recorded))
    kept = rows(recorded / "kept.jsonl")
    assert [new.instruction for new, _ in again.kept] == [row["instruction"] for row in kept]
    assert [new.average for new, _ in again.kept] == [row["avg_similarity_score"] for row in kept]
    assert [exchange.number for _, exchange in again.kept] == [row["exchange"] for row in kept]
    for (new, _), row in zip(again.kept, kept, strict=True):
        # Equal instructions fall together in an object, and ties have no order.
        assert sorted(dict(new.most_similar).values()) == sorted(row["most_similar"].values())
    expected = json.loads((recorded / "expected.json").read_text())
    funnel = again.funnel
    assert funnel.prompts == expected["prompts_drawn"]
    assert funnel.answered == expected["recorded_responses"]
    assert funnel.candidates == expected["candidates"]
    assert funnel.refused["similar"] == expected["dropped"]["rouge"]
    assert funnel.kept == expected["kept"]
    assert funnel.candidates == funnel.kept + sum(funnel.refused.values())
    assert again.restarts == 0


def test_a_prompt_that_the_seed_does_not_draw_is_named(recorded: Path) -> None:
    lines = (recorded / "exchanges.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[20])
    row["prompt"] = row["prompt"].replace("8. ", "8. Not ")
    lines[20] = json.dumps(row)
    (recorded / "exchanges.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UsageError, match=r"exchange 20 \(request 4\)"):
        replay(read_recorded(recorded))


def test_a_run_that_was_stopped_and_went_on_is_followed(recorded: Path) -> None:
    """The original seeds its random numbers at every start, also where it goes on with what is there."""
    run = read_recorded(recorded)
    whole = replay(run)
    first = [exchange for exchange in run.exchanges if exchange.request == 0]
    machine = [new.instruction for new, exchange in whole.kept if exchange.request == 0]
    rng = random.Random(SELF_INSTRUCT.random_seed)
    prompt = prompt_text(draw_examples(run.seeds, machine, SELF_INSTRUCT, rng), SELF_INSTRUCT)
    last = {
        "n": 5,
        "request_idx": 1,
        "prompt": prompt,
        "response": {"text": " A wholly new thing to be done", "finish_reason": "stop"},
    }
    kept = rows(recorded / "exchanges.jsonl")[: len(first)]
    (recorded / "exchanges.jsonl").write_text("\n".join(map(json.dumps, [*kept, last])), encoding="utf-8")
    again = replay(read_recorded(recorded))
    assert again.restarts == 1
    assert again.kept[-1][0].instruction == "A wholly new thing to be done"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "exchanges.jsonl").unlink(), "exchanges.jsonl: cannot be read"),
        (lambda folder: (folder / "exchanges.jsonl").write_text("{\n"), "exchanges.jsonl:1: not JSON"),
        (
            lambda folder: (folder / "exchanges.jsonl").write_text('{"n": 1}'),
            "exchanges.jsonl:1: `response` is missing",
        ),
        (lambda folder: (folder / "seed_tasks.jsonl").write_text('{"text": "x"}'), "seed_tasks.jsonl:1: `instruction`"),
        (lambda folder: (folder / "seed_tasks.jsonl").write_text('{"instruction": "x"}'), "1 seeds"),
        (lambda folder: shutil.rmtree(folder), "is not a folder"),
    ],
)
def test_a_broken_recording_is_named(recorded: Path, change: Callable[[Path], Any], message: str) -> None:
    change(recorded)
    with pytest.raises(UsageError) as caught:
        replay(read_recorded(recorded))
    assert message in str(caught.value)


def test_responses_become_candidates() -> None:
    text = " Write  a poem\nabout DOGS.\n10. Name three\n11.  12 . \n13 . last One"
    assert candidates(text, "stop") == ["Write a poem about dogs.", "Name three", "12 .", "Last one"]
    assert candidates(text, "length") == []
    assert candidates("", "stop") == []


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("Do this now", "length"),
        ("Do this right now", None),
        ("word " * 150, None),
        ("word " * 151, "length"),
        ("Describe the Picture you see", "keyword"),
        ("Describe the pictured scene now", None),
        ("Please go to the shop", "keyword"),
        ("Write a program that adds numbers", "program"),
        ("write a program that adds numbers", None),
        ("(Do this right now)", "punctuation"),
        ("한국어로 짧은 시를 쓰세요", "non-ascii"),
    ],
)
def test_candidates_are_refused_for_the_published_reasons(instruction: str, reason: str | None) -> None:
    assert refusal(instruction, SELF_INSTRUCT) == reason


TEXT = st.text(alphabet="abc D1.,-한é\n ", max_size=60)


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT)
def test_similarity_equals_the_reference_to_the_bit(a: str, b: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    reference = RougeScorer(["rougeL"], use_stemmer=False).score(a, b)["rougeL"].fmeasure
    assert rouge_l(Tokens(words(a)), Tokens(words(b))) == reference
