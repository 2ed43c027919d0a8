"""Models that think before they answer: which markers enclose the thought, and which part of a text is the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.types import Finish

__all__ = ["ARGUMENTS", "Thinking", "recognise", "split"]

_PAIRS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""Most models; Mistral's; the channels of gpt-oss, whose thought ends where the final channel begins."""

ARGUMENTS = ("think_end_token", "think_start_token", "think_open")
"""The model arguments that tell an engine the markers."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The markers of a model's thoughts."""

    end: str
    start: str | None = None
    opened: bool = True
    """The prompt ends inside a thought. Else the model opens it, or answers at once."""

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Thinking | None:
        """The markers in a model's arguments, where it has some as text."""
        end, start = args.get("think_end_token"), args.get("think_start_token")
        if not isinstance(end, str) or end.isdigit():
            return None
        return cls(end, None if start is None else str(start), bool(args.get("think_open", True)))

    def arguments(self) -> dict[str, Any]:
        """As model arguments."""
        return dict(zip(ARGUMENTS, (self.end, self.start, self.opened), strict=True))

    def unfinished(self, text: str, finish: Finish) -> bool:
        """Whether a text without the end marker is a thought that never ended."""
        if self.start is None:
            return finish == "length"
        return self.opened or text.lstrip().startswith(self.start)


def recognise(template: str, prompt: str, vocabulary: Sequence[str] = ()) -> Thinking | None:
    """The markers of a model by its chat template, a prompt made with it, and its added tokens; None for no thinking.

    A prompt that ends in a closed thought, as Qwen's with `enable_thinking` off, turns thinking off.
    """
    for start, end in _PAIRS:
        if end not in template and start not in template and not (start in vocabulary and end in vocabulary):
            continue
        tail = prompt[prompt.rfind(start) :] if start in prompt else ""
        if tail.strip().endswith(end):
            return None
        return Thinking(end, start, opened=bool(tail) and end not in tail)
    if all(any(part in source for source in (template, *vocabulary)) for part in ("<|channel|>", "<|message|>")):
        return Thinking(_PAIRS[2][1], _PAIRS[2][0], opened=False)
    return None


def split(text: str, finish: Finish, stop: Sequence[str], thinking: Thinking | None) -> tuple[str, str | None, Finish]:
    """Answer, thought and how it ended. Stop strings count in the answer alone."""
    thought = None
    if thinking is not None:
        before, marker, after = text.rpartition(thinking.end)
        if marker:
            thought, text = without_start(before, thinking), after.lstrip()
        elif thinking.unfinished(text, finish):
            return "", without_start(text, thinking), "unfinished"
    for term in stop:
        if term and term in text:
            text, finish = text.split(term)[0], "stop"
    return text, thought, finish


def without_start(thought: str, thinking: Thinking) -> str:
    """A thought without its opening marker."""
    bare = thought.lstrip()
    return bare.removeprefix(thinking.start) if thinking.start and bare.startswith(thinking.start) else thought
