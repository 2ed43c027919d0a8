"""Conversations: how they read as prompts, and how a model takes part in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from evalkit.errors import EngineError
from evalkit.registry.conversation import Conversation, as_alpaca, as_dialogue, as_koalpaca
from evalkit.results import Run
from evalkit.runner import Outcome
from tests.helpers.runfolders import results_of

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Name a colour."},
]


def test_without_a_template_turns_are_a_dialogue_that_the_model_continues() -> None:
    assert (
        as_dialogue(TURNS) == "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Name a colour.\n\nAssistant:"
    )


def test_alpacas_layout_keeps_the_input_under_its_own_heading() -> None:
    spoken = Conversation(layout="alpaca")
    (make,) = spoken.prompts({"instruction": "번역하세요.", "input": "hello", "output": "안녕"}, None, None)
    assert make(()).endswith("### Instruction:\n번역하세요.\n\n### Input:\nhello\n\n### Response:\n")
    assert as_alpaca(TURNS) == (
        "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello.\n\n"
        "### Instruction:\nName a colour.\n\n### Response:\n"
    )


def test_koalpacas_layout_has_its_own_headings() -> None:
    doc = {"instruction": "번역하세요.", "input": "hello", "output": "안녕"}
    (make,) = Conversation(layout="koalpaca").prompts(doc, None, None)
    assert make(()) == "### 질문: 번역하세요.\n\n### 맥락: hello\n\n### 답변:"
    (bare,) = Conversation(layout="koalpaca").prompts({**doc, "input": ""}, "짧게.", None)
    assert bare(()) == "짧게.\n\n### 질문: 번역하세요.\n\n### 답변:"
    assert as_koalpaca(TURNS) == (
        "Be brief.\n\n### 질문: Hi\n\n### 답변: Hello.\n\n### 질문: Name a colour.\n\n### 답변:"
    )


def test_a_template_gets_the_messages_and_the_flags_system_text_stands_first() -> None:
    seen: list[Any] = []

    def template(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        seen.append(list(messages))
        return "prompt"

    doc = {"messages": [*TURNS[:2], {"role": "assistant", "content": None}, TURNS[3]]}
    first, second = Conversation().prompts(doc, "Speak Korean.", template)
    first(())
    second(("안녕하세요.",))
    assert seen[0] == [{"role": "system", "content": "Speak Korean.\n\nBe brief."}, TURNS[1]]
    assert seen[1] == [*seen[0], {"role": "assistant", "content": "안녕하세요."}, TURNS[3]]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "last message"),
        ([{"role": "assistant", "content": "hi"}], "last message"),
        ([{"role": "robot", "content": "hi"}], "robot"),
        ([{"role": "user", "content": None}], "says nothing"),
    ],
)
def test_a_conversation_that_nobody_can_be_asked_is_an_error(messages: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Conversation().turns({"messages": messages})


def test_each_answer_of_the_model_stands_in_its_next_prompt(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor()
    rows = list(Run.open(done.path).rows("instruct_conversation_en"))
    spoken = [row for row in rows if len(row["resps"]) > 1]
    assert len(spoken) >= 4
    for row in spoken:
        (first, _), (second, _) = row["arguments"]
        assert second.startswith(first + " " + row["resps"][0][0].strip())
        assert row["finish"]
        assert len(row["finish"]) == 2
    assert results_of(done)["tasks"]["instruct_conversation_en"]["n"] == len(rows)


def test_later_turns_are_kept_and_asked_only_once(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.mock import MockEngine

    sent: list[int] = []
    answering = MockEngine._generate

    def counted(self: MockEngine, id: int, item: Any, sample: int) -> Any:
        sent.append(id)
        return answering(self, id, item, sample)

    monkeypatch.setattr(MockEngine, "_generate", counted)
    (first,) = corridor()
    asked_first = len(sent)
    assert asked_first == sum(len(row["resps"]) for row in Run.open(first.path).rows("instruct_conversation_en"))
    (again,) = corridor(name="again")
    assert len(sent) == asked_first, "all turns came from the journal"
    assert results_of(again)["tasks"] == results_of(first)["tasks"]


def test_a_run_that_dies_between_two_turns_goes_on_with_the_second(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.mock import MockEngine

    answered: list[int] = []
    answering = MockEngine._generate

    def until_ten(self: MockEngine, id: int, item: Any, sample: int) -> Any:
        answered.append(id)
        if len(answered) == 11:
            raise EngineError("gone")
        return answering(self, id, item, sample)

    monkeypatch.setattr(MockEngine, "_generate", until_ten)
    (dead,) = corridor(name="dead")
    assert (dead.exit_code, results_of(dead)["status"]) == (4, "incomplete")
    (resumed,) = corridor(name="dead")
    assert resumed.exit_code == 0
    rows = list(Run.open(resumed.path).rows("instruct_conversation_en"))
    turns = sum(len(row["resps"]) for row in rows)
    assert len(answered) == turns + 1, "the ten answers that were there are not asked for again"
    (whole,) = corridor(name="whole", fresh=True)
    assert results_of(resumed)["tasks"] == results_of(whole)["tasks"]


def test_samples_each_have_a_conversation_of_their_own(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor(repeats=3, gen_kwargs="temperature=1.0,do_sample=true")
    row = next(r for r in Run.open(done.path).rows("instruct_conversation_en") if len(r["resps"]) > 1)
    assert [len(samples) for samples in row["resps"]] == [3, 3]
    assert len(set(row["resps"][1])) == 3


def test_a_first_turn_that_fails_ends_the_conversation(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor(model_args={"fail_ids": [1]})
    row = list(Run.open(done.path).rows("instruct_conversation_en"))[1]
    assert "told to fail" in row["error"]
    assert row["checks_strict"] is None
    assert results_of(done)["tasks"]["instruct_conversation_en"]["errors"] == 1
