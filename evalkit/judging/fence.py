"""Puts judged text between random markers and breaks control tokens in it, so that it cannot pose as an instruction."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping

__all__ = ["Fence", "neutralise"]

_CONTROL = re.compile(
    r"<\|[^|<>\n]{0,60}\|>|<｜[^｜<>\n]{0,60}｜>|\[\|[^|\[\]\n]{0,60}\|\]|</?s>|<(?:bos|eos|pad|unk)>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|"
    r"TOOL_RESULTS|TOOL_CALLS)\]|<</?SYS>>|<(?:start|end)_of_(?:turn|utterance|text)>|</?think(?:ing)?>|"
    r"<(?:im_start|im_end|eot_id|begin_of_text|endoftext)>",
    re.IGNORECASE,
)


def neutralise(text: str, special: Collection[str] = ()) -> str:
    """Break control tokens of chat templates: `<|im_end|>` becomes `< |im_end|>`.

    `special` are the judge's own special tokens, where its tokenizer is at hand.
    """
    text = _CONTROL.sub(lambda match: _broken(match.group()), text)
    for token in sorted((t for t in special if len(t) > 1), key=len, reverse=True):
        if not token.isspace():
            text = text.replace(token, _broken(token))
    return text


def _broken(token: str) -> str:
    return f"{token[0]} {token[1:]}"


class Fence:
    """The marker of one call. It is random, so that the text between cannot contain it."""

    def __init__(self, texts: Collection[str], draw: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        for _ in range(20):
            self.marker = draw()
            if not any(self.marker in text for text in texts):
                return
        raise ValueError("every marker that was drawn stands in the text already")

    def around(self, name: str, text: str) -> str:
        if self.marker in text:
            raise ValueError(f"the marker stands inside the {name}")
        return f"<<<{name} {self.marker}>>>\n{text}\n<<<end of {name} {self.marker}>>>"

    def inputs(self, inputs: Mapping[str, str], names: Mapping[str, str]) -> str:
        return "\n\n".join(self.around(names.get(name, name), text) for name, text in inputs.items())
