"""Which models think, and which part of their text is the answer."""

from __future__ import annotations

from array import array

import pytest

from evalkit.engines.openai.options import Options
from evalkit.engines.openai.requests import Abilities, generate_body, read_choices
from evalkit.engines.vllm.generating import Thinking as VllmThinking
from evalkit.engines.vllm.generating import finished_text
from evalkit.tokens.thinking import Thinking, recognise, split
from evalkit.types import Finish, Generate, Generated, Sampling

QWEN = "{%- if '</think>' in content %}…{% endif %}{%- if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"


@pytest.mark.parametrize(
    ("template", "prompt", "vocabulary", "expected"),
    [
        (QWEN, "<|im_start|>assistant\n", (), Thinking("</think>", "<think>", opened=False)),
        (QWEN, "<|im_start|>assistant\n<think>\n", (), Thinking("</think>", "<think>", opened=True)),
        (QWEN, "<|im_start|>assistant\n<think>\n\n</think>\n\n", (), None),
        ("{{ messages }}", "user: ?", (), None),
        ("{{ messages }}", "user: ?", ("<think>", "</think>"), Thinking("</think>", "<think>", opened=False)),
        ("{{ '[THINK]' }}", "[INST]?[/INST]", (), Thinking("[/THINK]", "[THINK]", opened=False)),
        (
            "<|start|>assistant<|channel|>analysis<|message|>",
            "<|start|>assistant",
            (),
            Thinking("<|channel|>final<|message|>", "<|channel|>analysis<|message|>", opened=False),
        ),
        (
            "{{ messages }}",
            "<|start|>assistant",
            ("<|channel|>", "<|message|>"),
            Thinking("<|channel|>final<|message|>", "<|channel|>analysis<|message|>", opened=False),
        ),
    ],
)
def test_models_that_think_are_recognised(
    template: str, prompt: str, vocabulary: tuple[str, ...], expected: Thinking | None
) -> None:
    assert recognise(template, prompt, vocabulary) == expected


OPENED = Thinking("</think>", "<think>", opened=True)
FREE = Thinking("</think>", "<think>", opened=False)
CASES: list[tuple[Thinking, str, Finish, tuple[str, str | None, str]]] = [
    (FREE, "<think>a\n\nb</think>\n42\n\nQ", "length", ("42", "a\n\nb", "stop")),
    (FREE, "<think>so #### 7", "length", ("", "so #### 7", "unfinished")),
    (FREE, "<think>so #### 7", "stop", ("", "so #### 7", "unfinished")),
    (FREE, "42 at once", "length", ("42 at once", None, "length")),
    (OPENED, "so #### 7", "length", ("", "so #### 7", "unfinished")),
    (OPENED, "so</think> 7", "stop", ("7", "so", "stop")),
]


@pytest.mark.parametrize(("thinking", "text", "finish", "expected"), CASES)
def test_the_answer_is_what_comes_after_the_thought(
    thinking: Thinking, text: str, finish: Finish, expected: tuple[str, str | None, str]
) -> None:
    assert split(text, finish, ["\n\n"], thinking) == expected
    engine = VllmThinking(thinking.end, "", thinking.start, thinking.opened)
    assert finished_text(text, finish, ["\n\n"], engine) == expected


def test_arguments_for_the_template_reach_a_server() -> None:
    from evalkit.engines.openai.engine import _extra_body

    options = Options(chat_template_args={"reasoning_effort": "low", "top": 1}, enable_thinking=False)
    abilities = Abilities(chat=True, extra_body=_extra_body(options))
    item = Generate((0,), array("i"), Sampling(8, stop=("\n\n",)), text="?")
    _, body = generate_body("m", item, 1, abilities)
    assert body["chat_template_kwargs"] == {"top": 1, "enable_thinking": False}
    assert body["reasoning_effort"] == "low"
    assert body["stop"] == ["\n\n"]
    abilities.thinks = True  # a reply had a thought: stop strings would count inside it
    assert "stop" not in generate_body("m", item, 1, abilities)[1]


def test_a_server_without_a_reasoning_parser_is_read_by_the_markers() -> None:
    reply = {"choices": [{"text": "<think>a\n\nb</think>42\n\nmore", "finish_reason": "stop"}]}
    (answer,) = read_choices(reply, [0], ["\n\n"], FREE)
    assert isinstance(answer, Generated)
    assert (answer.text, answer.reasoning, answer.finish) == ("42", "a\n\nb", "stop")
    cut = {"choices": [{"text": "<think>a", "finish_reason": "length"}]}
    (answer,) = read_choices(cut, [0], ["\n\n"], FREE)
    assert isinstance(answer, Generated)
    assert (answer.text, answer.finish) == ("", "unfinished")
