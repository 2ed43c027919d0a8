"""Prompts that are conversations: messages with a chat template, plain text without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from evalkit.errors import ConfigError, nearest
from evalkit.types import Message, Prompt, RawDocument

__all__ = [
    "ROLES",
    "Conversation",
    "Conversational",
    "as_alpaca",
    "as_dialogue",
    "as_koalpaca",
    "as_prompt",
    "transcript",
]

ROLES = ("system", "user", "assistant")
Layout = Literal["dialogue", "alpaca", "koalpaca"]
Turn: TypeAlias = "dict[str, str]"
"""A message: its `role` and `content`."""

GivenTurn: TypeAlias = "Mapping[str, str | None]"
"""A document's message: without content where the model writes it."""

_KEYS = ("messages", "layout")
_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
_OPENING = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
_OPENING_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context."
    " Write a response that appropriately completes the request."
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """`conversation:` of a task file: which field holds the messages, and how they read without a chat template.

    A document without that field is one user turn: its `instruction`, and its `input` where it has one. An assistant
    message whose content is null is the model's to write before the next user turn is shown.
    """

    messages: str = "messages"
    layout: Layout = "dialogue"

    @classmethod
    def read(cls, value: Any, where: str) -> Conversation:
        if isinstance(value, str):
            value = {"messages": value}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: conversation: a field's name or a mapping is wanted, this is {value!r:.80}")
        for key in value:
            if key not in _KEYS:
                raise ConfigError(f"{where}: conversation: unknown key {key!r}{nearest(str(key), _KEYS)}")
        if value.get("layout", "dialogue") not in get_args(Layout):
            raise ConfigError(f"{where}: conversation: layout is dialogue, alpaca or koalpaca, not {value['layout']!r}")
        return cls(**value)

    def turns(self, doc: RawDocument) -> list[GivenTurn]:
        """The messages up to the last user turn. Raises ValueError if they cannot be a prompt."""
        if self.messages not in doc:
            text = str(doc["instruction"])
            return [{"role": "user", "content": f"{text}\n\n{doc['input']}" if doc.get("input") else text}]
        messages = list(doc[self.messages])
        for number, message in enumerate(messages, 1):
            if message.get("role") not in ROLES:
                raise ValueError(f"message {number}: role {message.get('role')!r} is none of {', '.join(ROLES)}")
            if message.get("content") is None and message["role"] != "assistant":
                raise ValueError(f"message {number}: the {message['role']} says nothing")
        if not messages or messages[-1]["role"] != "user":
            raise ValueError("the last message is not the user's: nothing is left to answer")
        return messages

    def prompts(
        self, doc: RawDocument, system: str | None, chat_template: Callable[..., str] | None
    ) -> list[Callable[[Sequence[str]], str]]:
        """For each answer that the model must give, a function that makes its prompt from the earlier answers."""
        turns = self.turns(doc)
        gaps = [place for place, turn in enumerate(turns) if turn.get("content") is None]

        def maker(end: int) -> Callable[[Sequence[str]], str]:
            def make(answers: Sequence[str]) -> str:
                shown = _with_system(_filled(turns[:end], answers), system)
                if chat_template is not None:
                    if getattr(chat_template, "takes_input", False) and self.messages not in doc and doc.get("input"):
                        shown[-1] = {**shown[-1], "content": str(doc["instruction"]), "input": str(doc["input"])}
                    return chat_template(shown, add_generation_prompt=True)
                if self.layout == "koalpaca":
                    return as_koalpaca(shown, doc if self.messages not in doc else None)
                if self.layout == "alpaca":
                    return as_alpaca(shown, doc if self.messages not in doc else None)
                return as_dialogue(shown)

            return make

        return [maker(end) for end in [*gaps, len(turns)]]


def transcript(conversation: Conversation, doc: RawDocument, answers: Sequence[str]) -> list[Turn]:
    """The conversation with the model's answers, except the last one."""
    return _filled(conversation.turns(doc), answers)


def as_dialogue(turns: Sequence[Mapping[str, str]]) -> str:
    """Plain text for a model without a chat template: lines with speakers, of which the model writes the next."""
    lines = [f"{_NAMES[turn['role']]}: {turn['content'].strip()}" for turn in turns]
    return "\n\n".join([*lines, f"{_NAMES['assistant']}:"])


def as_alpaca(turns: Sequence[Mapping[str, str]], doc: RawDocument | None = None) -> str:
    """Alpaca's layout. The input of a single instruction has its own heading."""
    system = [turn["content"] for turn in turns if turn["role"] == "system"]
    if doc is not None and doc.get("input"):
        opening = system or [_OPENING_WITH_INPUT]
        parts = [f"### Instruction:\n{doc['instruction']}", f"### Input:\n{doc['input']}"]
    else:
        opening = system or [_OPENING]
        headings = {"user": "### Instruction:", "assistant": "### Response:"}
        parts = [f"{headings[t['role']]}\n{t['content']}" for t in turns if t["role"] in headings]
    return "\n\n".join([*opening, *parts, "### Response:\n"])


def as_koalpaca(turns: Sequence[Mapping[str, str]], doc: RawDocument | None = None) -> str:
    """KoAlpaca's layout. A document of one instruction keeps its input as context."""
    parts = [turn["content"] for turn in turns if turn["role"] == "system"]
    if doc is not None and doc.get("input"):
        parts += [f"### 질문: {doc['instruction']}", f"### 맥락: {doc['input']}"]
    else:
        headings = {"user": "### 질문:", "assistant": "### 답변:"}
        parts += [f"{headings[turn['role']]} {turn['content']}" for turn in turns if turn["role"] in headings]
    return "\n\n".join([*parts, "### 답변:"])


def as_prompt(context: Any) -> Prompt:
    """The prompt that a chat template made: text, or the messages for a server that applies its own template."""
    messages = getattr(context, "messages", None)
    return context if messages is None else tuple(Message(m["role"], m["content"]) for m in messages)


class Conversational:
    """A mixin before lm-eval's task class, which makes the document's conversation the prompt."""

    conversation: Conversation

    def doc_to_text(self, doc: RawDocument, doc_to_text: Any = None) -> str:
        return str(self.conversation.turns(doc)[-1]["content"])

    def fewshot_context(
        self,
        doc: RawDocument,
        num_fewshot: int,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        fewshot_as_multiturn: bool = False,
        chat_template: Callable[..., str] | None = None,
        gen_prefix: str | None = None,
    ) -> str:
        template = chat_template if apply_chat_template else None
        return self.conversation.prompts(doc, system_instruction, template)[0](())


def _filled(turns: Sequence[GivenTurn], answers: Sequence[str]) -> list[Turn]:
    given: Iterator[str] = iter(answers)
    return [
        {"role": str(turn["role"]), "content": next(given) if (content := turn.get("content")) is None else content}
        for turn in turns
    ]


def _with_system(turns: list[Turn], system: str | None) -> list[Turn]:
    """Put --system-instruction before the text of the document's own system message."""
    if not system:
        return turns
    if turns and turns[0]["role"] == "system":
        return [{"role": "system", "content": f"{system}\n\n{turns[0]['content']}"}, *turns[1:]]
    return [{"role": "system", "content": system}, *turns]
