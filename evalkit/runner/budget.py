"""--think-budget N: a thought is closed after N tokens, and one more request asks for the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalkit.tokens.thinking import Thinking
from evalkit.types import Generated, Sampling

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a thought may be, and how it is closed."""

    thinking: Thinking
    tokens: int

    def goes_on(self, answer: Generated) -> bool:
        """Whether the first part has no whole answer: the thought is still open, or the answer was cut with it."""
        return answer.finish in ("unfinished", "length")

    def prompt(self, context: str, answer: Generated) -> str:
        """The prompt that asks for the rest: the thought closed, and what there is of the answer."""
        if answer.reasoning is None:  # it answers without a thought
            return context + answer.text
        opening = "" if self.thinking.opened or self.thinking.start is None else self.thinking.start
        return f"{context}{opening}{answer.reasoning}\n{self.thinking.end}\n\n{answer.text}"

    def whole(self, first: Generated, second: Generated, sampling: Sampling) -> Generated:
        """Both parts as one answer. `sampling`: what the second part was asked with."""
        if second.finish == "unfinished":
            # An engine that takes every text for a thought until that ends has not looked for stop strings either.
            text, finish = second.reasoning or "", "length" if second.tokens >= sampling.max_tokens else "stop"
            for term in sampling.stop:
                if term in text:
                    text, finish = text.split(term)[0], "stop"
            second = replace(second, text=text, finish=finish)  # type: ignore[arg-type]
        return replace(
            second,
            text=(first.text + second.text) if first.text else second.text.lstrip(),
            tokens=first.tokens + second.tokens,
            reasoning=first.reasoning,
        )
