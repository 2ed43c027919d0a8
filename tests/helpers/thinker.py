"""A checkpoint that thinks. Its next token depends on the last one alone, so it writes the same whatever is asked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.checkpoints import make_checkpoint

__all__ = ["ANSWER", "THOUGHT", "make_thinker"]

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}{% if add_generation_prompt %}@{% endif %}"
THOUGHT = "a;b c"
"""A stop string of the tests' stands in it."""
ANSWER = "d!e"
WRITTEN = f"<think>{THOUGHT}</think>{ANSWER}</s>"


def make_thinker(folder: Path) -> Path:
    """Its text is WRITTEN after the chat template's `@`, and ANSWER where a prompt ends in a closed thought."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    make_checkpoint(folder, chat_template=TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer))
    chain = _ids(tokenizer, f"@{WRITTEN}")
    assert len(set(chain)) == len(chain) < model.config.hidden_size
    steps = dict(itertools.pairwise(chain))
    steps[_ids(tokenizer, "</think>\n\n")[-1]] = _ids(tokenizer, ANSWER)[0]
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.zero_()
        model.model.embed_tokens.weight[:, 0] = 1.0
        model.lm_head.weight.zero_()
        for place, (now, then) in enumerate(steps.items(), 1):
            model.model.embed_tokens.weight[now].zero_()
            model.model.embed_tokens.weight[now, place] = 1.0
            model.lm_head.weight[then, place] = 5.0
    model.save_pretrained(folder)
    return folder


def _ids(tokenizer: object, text: str) -> Sequence[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)  # type: ignore[attr-defined]
    return found
