"""Decides when a generation is finished and which part of its text is the answer, by lm-eval's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.types import Finish, Generated

__all__ = ["Texts"]


_FIRST_TOKENS = 32
"""Within so many tokens it shows whether a text begins with a reasoning trace."""


@dataclass(frozen=True, slots=True)
class _Stop:
    text: str
    lookback: int
    """How many of the last tokens are searched: two more than the string has, as in lm-eval."""


class Texts:
    """Finds stop strings and splits reasoning from answers.

    `think_end`: the marker between them, as text or id. `think_start`: what begins the reasoning, where it is known;
    without `opened` the model begins it itself, or answers at once.
    """

    def __init__(
        self,
        tokenizer: Any,
        eos_ids: Sequence[int],
        think_end: str | int | None = None,
        think_start: str | None = None,
        *,
        opened: bool = True,
    ) -> None:
        self._tokenizer = tokenizer
        self._eos_ids = frozenset(eos_ids)
        self._think_end = _as_id(tokenizer, think_end)
        self._think_start = think_start
        self._opened = opened
        self._stops: dict[tuple[str, ...], list[_Stop]] = {}
        eos = getattr(tokenizer, "eos_token_id", None)
        self._eos_text = tokenizer.decode([eos]) if eos is not None else ""

    def over(self, tokens: Sequence[int], stop: tuple[str, ...], thinking: bool) -> bool:
        """Whether the last token ended the generation. Stop strings do not count inside a reasoning trace."""
        if tokens[-1] in self._eos_ids:
            return True
        if thinking:
            return False
        stops = self._prepared(stop)
        if not stops:
            return False
        tail = self._tokenizer.decode(tokens[-max(entry.lookback for entry in stops) :], skip_special_tokens=False)
        return any(entry.text in tail for entry in stops)

    def answer(
        self,
        id: int,
        tokens: Sequence[int],
        stop: tuple[str, ...],
        finish: Finish,
        tops: Sequence[Sequence[tuple[int, float]]] = (),
    ) -> Generated:
        shown = (
            tuple(tuple((self._tokenizer.decode([t]), value) for t, value in alternatives) for alternatives in tops)
            or None
        )
        kept = list(tokens)
        reasoning: str | None = None
        if isinstance(self._think_end, int):
            if self._think_end in kept:
                at = len(kept) - 1 - kept[::-1].index(self._think_end)
                reasoning = self._decode(kept[:at])
                text = self._decode(kept[at + 1 :]).lstrip()
            else:
                text = self._decode(kept)
        else:
            text = self._decode(kept)
            if self._think_end is not None and self._think_end in text:
                reasoning, _, text = text.rpartition(self._think_end)
                text = text.lstrip()
        if self._think_end is not None and reasoning is None and self._unfinished(kept, finish):
            # The model was still reasoning: the text is no answer.
            return Generated(id, "", "unfinished", len(tokens), self._bare(text), shown)
        reasoning = None if reasoning is None else self._bare(reasoning)
        for term in (*stop, self._eos_text):
            if term:
                text = text.split(term)[0]
        return Generated(id, text, finish, len(tokens), reasoning, shown)

    @property
    def thinks(self) -> bool:
        """Whether generations begin inside a reasoning trace."""
        return self._think_end is not None

    def still_thinks(self, tokens: Sequence[int]) -> bool:
        """Whether the reasoning trace continues after the last token."""
        if not self._opened and self._think_start is not None and len(tokens) <= _FIRST_TOKENS:
            text = self._whole(tokens).lstrip()
            if not text.startswith(self._think_start) and not self._think_start.startswith(text):
                return False  # it answers at once
        if isinstance(self._think_end, int):
            return tokens[-1] != self._think_end
        assert self._think_end is not None
        # A marker of n characters has at most 4n bytes, so at most 4n tokens; usually it is one token.
        return self._think_end not in self._decode(list(tokens[-4 * len(self._think_end) :]))

    def _unfinished(self, tokens: Sequence[int], finish: Finish) -> bool:
        """Whether tokens without the end marker are a trace that never ended."""
        if self._think_start is None:
            return finish == "length"
        return self._opened or self._whole(tokens).lstrip().startswith(self._think_start)

    def _bare(self, reasoning: str) -> str:
        start = self._think_start
        return reasoning.lstrip().removeprefix(start) if start and reasoning.lstrip().startswith(start) else reasoning

    def _whole(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _prepared(self, stop: tuple[str, ...]) -> list[_Stop]:
        if stop not in self._stops:
            # The text of the end-of-sequence token stops too, if the model writes it in several tokens.
            self._stops[stop] = [
                _Stop(text, len(self._tokenizer.encode(text, add_special_tokens=False)) + 2)
                for text in dict.fromkeys((*stop, self._eos_text))
                if text
            ]
        return self._stops[stop]

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


def _as_id(tokenizer: Any, marker: str | int | None) -> str | int | None:
    """The id of a marker that is a special token, which decoded text does not show; any other marker unchanged."""
    if isinstance(marker, str) and marker in getattr(tokenizer, "all_special_tokens", ()):
        return int(tokenizer.convert_tokens_to_ids(marker))
    return marker
