"""Chat templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.registry.conversation import Conversation
from evalkit.tokens import Tokenizer, encode_text, message_prompts
from evalkit.types import (
    GenerateRequest,
    Message,
    Request,
)
from tests.helpers.checkpoints import CHAT_TEMPLATE, NO_SYSTEM_TEMPLATE, make_checkpoint
from tests.helpers.tokenizing import spec

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One and one?"},
    {"role": "assistant", "content": "Two"},
    {"role": "user", "content": "And two?"},
]


def test_a_models_own_template_renders_as_in_lm_eval(tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]) -> None:
    template = tokenizers["bos"].chat()
    assert template(TURNS) == oracles["bos"].apply_chat_template(TURNS)
    begun = [*TURNS, {"role": "assistant", "content": "The answer is"}]
    assert template(begun, add_generation_prompt=False) == oracles["bos"].apply_chat_template(begun, False)
    assert template.description["source"] == "model"
    assert template.description["system_role"] == "native"


def test_koalpaca_models_get_koalpacas_format(tokenizers: dict[str, Tokenizer], tmp_path: Path) -> None:
    asked = tokenizers["plain"].chat("koalpaca")
    assert asked(TURNS) == ("Be brief.\n\n### 질문: One and one?\n\n### 답변: Two\n\n### 질문: And two?\n\n### 답변:")
    assert (
        asked([{"role": "user", "content": "요약", "input": "본문"}]) == "### 질문: 요약\n\n### 맥락: 본문\n\n### 답변:"
    )
    assert asked.description["source"] == "koalpaca"
    named = Tokenizer.load(spec(make_checkpoint(tmp_path / "KoAlpaca-Polyglot-tiny")))
    assert named.chat().template == asked.template
    doc = {"instruction": "요약", "input": "본문"}
    (make,) = Conversation().prompts(doc, None, named.chat())
    assert make(()) == "### 질문: 요약\n\n### 맥락: 본문\n\n### 답변:"
    (other,) = Conversation().prompts(doc, None, tokenizers["plain"].chat())
    assert "요약\n\n본문" in other(())


def test_a_model_without_a_template_gets_the_alpaca_format(tokenizers: dict[str, Tokenizer]) -> None:
    template = tokenizers["plain"].chat()
    assert template(TURNS[1:2]) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nOne and one?\n\n### Response:\n"
    )
    assert template(TURNS) == (
        "Be brief.\n\n### Instruction:\nOne and one?\n\n### Response:\nTwo"
        "\n\n### Instruction:\nAnd two?\n\n### Response:\n"
    )
    begun = template([*TURNS, {"role": "assistant", "content": "It is"}], add_generation_prompt=False)
    assert begun.endswith("### Response:\nIt is")
    assert (template.description["source"], template.description["system_role"]) == ("alpaca", "native")
    assert len(template.description["hash"]) == 64


def test_a_template_that_refuses_a_system_role_gets_it_before_the_first_user_turn(tmp_path: Path) -> None:
    """lm-eval drops the system text, and says so only in its log."""
    template = Tokenizer.load(spec(make_checkpoint(tmp_path / "m", chat_template=NO_SYSTEM_TEMPLATE))).chat()
    merged = [{"role": "user", "content": "Be brief.\n\nOne and one?"}, *TURNS[2:]]
    assert template(TURNS) == template(merged)
    assert "Be brief." in template(TURNS)
    assert template.description["system_role"] == "merged"


def test_a_named_template_is_the_one_that_is_used(models: dict[str, Path]) -> None:
    """lm-eval records the named template and renders with the default one."""
    tokenizer = Tokenizer.load(spec(models["plain"]))
    tokenizer.hf.chat_template = {"default": CHAT_TEMPLATE, "shout": "{{ messages[-1]['content'] | upper }}"}
    assert tokenizer.chat("shout")(TURNS) == "AND TWO?"
    assert tokenizer.chat("shout").description["source"] == "named"
    with pytest.raises(UsageError, match="no such template; did you mean shout"):
        tokenizer.chat("shoot")
    with pytest.raises(UsageError, match="this model has no template"):
        Tokenizer.load(spec(models["plain"])).chat("shout")


def test_a_conversation_that_the_template_refuses_is_one_line(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"]))
    tokenizer.hf.chat_template = "{% if messages|length > 2 %}{{ raise_exception('roles must alternate') }}{% endif %}x"
    with pytest.raises(UsageError, match="roles must alternate"):
        tokenizer.chat()([*TURNS])


def test_chat_servers_get_messages(tokenizers: dict[str, Tokenizer]) -> None:
    prompt = message_prompts(TURNS)
    assert json.loads(prompt) == TURNS
    messages = tuple(Message(turn["role"], turn["content"]) for turn in TURNS)
    (encoded,) = encode_text([Request("generate", messages, gen_kwargs={"until": ["\n"]}, repeats=2)], first_id=4)
    assert [(r.id, r.text) for r in encoded.requests if isinstance(r, GenerateRequest)] == [
        (4, messages),
        (5, messages),
    ]
    (refused,) = encode_text([Request("score", "a", " b")])
    assert refused.requests == ()
    with pytest.raises(UsageError, match="--apply-chat-template"):
        tokenizers["plain"].encode([Request("generate", messages)])
