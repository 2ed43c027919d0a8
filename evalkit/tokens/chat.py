"""Chat templates: the model's default, a named one, or Alpaca's or KoAlpaca's format for a model without a template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from evalkit.errors import CheckpointError, UsageError, nearest
from evalkit.tokens.bounded import TooManySteps, is_linear, with_most_steps
from evalkit.tokens.growth import TooMuchText
from evalkit.tokens.rendering import render_counted
from evalkit.types import Arguments

__all__ = ["ALPACA", "KOALPACA", "ChatTemplate", "MessagePrompt", "message_prompts"]

ALPACA = (
    "{%- if messages and messages[0]['role'] == 'system' -%}"
    "{{- messages[0]['content'] -}}"
    "{%- else -%}"
    "{{- 'Below is an instruction that describes a task. ' -}}"
    "{{- 'Write a response that appropriately completes the request.' -}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "{{- '\\n\\n### Instruction:\\n' + message['content'] -}}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- '\\n\\n### Response:\\n' + message['content'] -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '\\n\\n### Response:\\n' -}}"
    "{%- endif -%}"
)
"""The format that the Alpaca models were tuned on; a system message replaces its first sentence."""

KOALPACA = (
    "{%- for message in messages -%}"
    "{%- if not loop.first -%}{{- '\\n\\n' -}}{%- endif -%}"
    "{%- if message['role'] == 'system' -%}"
    "{{- message['content'] -}}"
    "{%- elif message['role'] == 'user' -%}"
    "{{- '### 질문: ' + message['content'] -}}"
    "{%- if message['input'] -%}{{- '\\n\\n### 맥락: ' + message['input'] -}}{%- endif -%}"
    "{%- else -%}"
    "{{- '### 답변: ' + message['content'] -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '\\n\\n### 답변:' -}}{%- endif -%}"
)
"""The format that the KoAlpaca models were tuned on: question, context, answer, with blank lines between."""

_LAYOUTS = {"alpaca": ALPACA, "koalpaca": KOALPACA}

_MOST_STEPS = 2_000_000
"""Template lines per prompt, which take a second or two. A long conversation takes some thousands."""
_MOST_TEXT, _MOST_COPIES = 1 << 24, 64
"""Characters that a template may make on its way to a prompt: so many, and so many times what the messages hold."""

_PROBE = [{"role": "system", "content": "system"}, {"role": "user", "content": "user"}]


class TemplateDescription(TypedDict):
    """A chat template, as the manifest holds it."""

    source: str
    name: str | None
    hash: str
    system_role: str
    """`merged` into the user's first turn where the template has no such role, or `native`."""
    arguments: NotRequired[Arguments]


class ChatTemplate:
    """Renders messages to a prompt, like lm-eval's `apply_chat_template`."""

    def __init__(self, tokenizer: Any, named: bool | str = True, arguments: Arguments | None = None) -> None:
        self._tokenizer = tokenizer
        self._arguments = dict(arguments or {})
        self.source, self.name, self.template = _choose(tokenizer, named)
        self.takes_input = self.source == "koalpaca"
        """Whether a user message may have an `input` beside its content, which stands under a heading of its own."""
        self._is_linear = is_linear(self.template)
        self._merges_system = self._refuses_system()

    @property
    def identity(self) -> str:
        """Equal for templates that render every conversation to the same prompt."""
        special = getattr(self._tokenizer, "special_tokens_map", None)
        return repr((self.template, sorted(self._arguments.items()), special))

    def __call__(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        history = [dict(message) for message in messages]
        if self._merges_system:
            history = _merge_system(history)
        try:
            return self._render(history, add_generation_prompt)
        except Exception as error:
            if not _is_template_error(error):
                raise
            roles = ", ".join(message["role"] for message in history)
            raise UsageError(
                f"the model's chat template refuses this conversation ({roles}): {error}; "
                "try --fewshot-as-multiturn false, or leave --apply-chat-template out"
            ) from error

    def _render(self, history: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
        def render() -> str:
            return str(
                self._tokenizer.apply_chat_template(
                    history,
                    chat_template=self.template,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                    **self._arguments,
                )
            )

        most = _MOST_TEXT + _MOST_COPIES * sum(len(str(message.get("content", ""))) for message in history)
        try:
            if self._is_linear:
                return render_counted(most, render)
            return with_most_steps(_MOST_STEPS, lambda: render_counted(most, render))
        except (TooManySteps, TooMuchText, RecursionError, MemoryError, OverflowError) as error:
            raise CheckpointError(
                "the model's chat template does not come to an end, or fills the memory: mend chat_template in its "
                "tokenizer_config.json, or leave --apply-chat-template out"
            ) from error

    def _refuses_system(self) -> bool:
        try:
            self._render(_PROBE, True)
        except Exception as error:
            if isinstance(error, CheckpointError):
                raise
            if not _is_template_error(error):
                raise CheckpointError(f"the model's chat template cannot be rendered: {error}") from error
            return True
        return False

    @property
    def description(self) -> TemplateDescription:
        """The manifest's entry on the template."""
        description: TemplateDescription = {
            "source": self.source,
            "name": self.name,
            "hash": hashlib.sha256(self.template.encode()).hexdigest(),
            "system_role": "merged" if self._merges_system else "native",
        }
        return {**description, "arguments": self._arguments} if self._arguments else description


class MessagePrompt(str):
    """Messages for a chat API. As text it is what lm-eval's API models log; `messages` has the messages."""

    messages: list[dict[str, str]]

    def __new__(cls, messages: Sequence[Mapping[str, str]]) -> MessagePrompt:
        prompt = super().__new__(cls, json.dumps([dict(m) for m in messages], ensure_ascii=False))
        prompt.messages = [dict(m) for m in messages]
        return prompt


def message_prompts(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
    """Stands for a chat template with servers that apply their own: keeps the messages as they are."""
    return MessagePrompt(messages)


def _choose(tokenizer: Any, named: bool | str) -> tuple[str, str | None, str]:
    templates = tokenizer.chat_template
    if isinstance(templates, Mapping):
        name = named if isinstance(named, str) else "default"
        if name not in templates:
            raise UsageError(
                f"--apply-chat-template {name}: no such template{nearest(name, templates)}; "
                f"this model has {', '.join(sorted(templates))}"
            )
        return ("named" if isinstance(named, str) else "model"), name, str(templates[name])
    if isinstance(named, str) and named in _LAYOUTS:
        return named, None, _LAYOUTS[named]
    layout = "koalpaca" if "koalpaca" in str(getattr(tokenizer, "name_or_path", "")).lower() else "alpaca"
    if isinstance(named, str):
        format_of = {"alpaca": "the Alpaca format", "koalpaca": "KoAlpaca's format"}[layout]
        has = "one template without a name" if templates else f"no template; without a name it gets {format_of}"
        raise UsageError(f"--apply-chat-template {named}: this model has {has}")
    return ("model", None, str(templates)) if templates else (layout, None, _LAYOUTS[layout])


def _merge_system(history: list[dict[str, str]]) -> list[dict[str, str]]:
    """Move the system text to the beginning of the first user turn, for a template without a system role."""
    system = "\n\n".join(message["content"].rstrip() for message in history if message["role"] == "system")
    rest = [message for message in history if message["role"] != "system"]
    if not system:
        return rest
    for message in rest:
        if message["role"] == "user":
            message["content"] = f"{system}\n\n{message['content']}"
            return rest
    return [{"role": "user", "content": system}, *rest]


def _is_template_error(error: Exception) -> bool:
    from jinja2.exceptions import TemplateError

    return isinstance(error, TemplateError)
