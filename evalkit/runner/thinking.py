"""How a run's model thinks: its markers, from the flags, else recognised from the chat template and the tokenizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalkit.config import RunConfig
from evalkit.engines.base import EngineModel, EngineTokenizer
from evalkit.errors import UsageError
from evalkit.tokens import ChatTemplate, Tokenizer
from evalkit.tokens.thinking import Thinking, recognise

__all__ = ["find_thinking", "told"]

_QUESTION = [{"role": "user", "content": "?"}]


def find_thinking(
    config: RunConfig, model: EngineModel, tokenizer: EngineTokenizer, chat: ChatTemplate | None
) -> Thinking | None:
    """The markers of the model's thoughts; None for a model that is not known to think."""
    if config.no_think or model.spec.args.get("think_end_token") is not None:
        return None if config.no_think else Thinking.of(model.spec.args)
    recognised = _recognised(tokenizer, chat)
    if config.think_end is not None:
        start = config.think_start or _start_of(config.think_end)
        prompt = _prompt(chat)
        opened = prompt.rfind(start) > prompt.rfind(config.think_end) if start else True
        return Thinking(config.think_end, start, opened)
    if config.think_budget is not None and recognised is None:
        raise UsageError(
            f"--think-budget {config.think_budget}: {model.spec.typed} is not known to think; name the markers with"
            " --think-start and --think-end, and use its chat template (--apply-chat-template)"
        )
    return recognised


def told(model: EngineModel, thinking: Thinking | None) -> EngineModel:
    """The model with arguments that tell its engine the markers, which also determine its answers' keys."""
    if thinking is None:
        return model
    return model.opened_from(replace(model.spec, args={**model.spec.args, **thinking.arguments()}))


def _recognised(tokenizer: EngineTokenizer, chat: ChatTemplate | None) -> Thinking | None:
    """Only where the chat template is used: without it, a model is not asked in the way in which it thinks."""
    if not isinstance(chat, ChatTemplate) or not isinstance(tokenizer, Tokenizer):
        return None
    added: dict[str, Any] = getattr(tokenizer.hf, "get_added_vocab", dict)()
    return recognise(chat.template, _prompt(chat), tuple(added))


def _prompt(chat: ChatTemplate | None) -> str:
    return chat(_QUESTION) if isinstance(chat, ChatTemplate) else ""


def _start_of(end: str) -> str | None:
    return end.replace("/", "", 1) if "/" in end else None
