"""Generation one sample at a time through transformers' own loop: for models whose state cannot be cut and joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from evalkit.engines.huggingface.model import Model, is_out_of_memory
from evalkit.engines.huggingface.score import NAN
from evalkit.engines.huggingface.sequence import Sequence, next_tokens, refuses, sequences
from evalkit.engines.huggingface.text import Texts
from evalkit.types import Answer, Failed, Finish, Generate, Usage

__all__ = ["PlainGenerator"]


class PlainGenerator:
    def __init__(self, model: Model, usage: Usage, texts: Texts) -> None:
        self._model = model
        self._usage = usage
        self._texts = texts
        self._waiting: deque[Sequence] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    @property
    def hungry(self) -> bool:
        return len(self._waiting) < 32

    def add(self, item: Generate) -> list[Answer]:
        if reason := refuses(self._model, item):
            return [Failed(id, reason) for id in item.ids]
        self._usage.prompt += len(item.prompt)
        self._waiting += sequences(self._model, item, self._texts.thinks)
        return []

    def advance(self, steps: int) -> Iterator[list[Answer]]:
        """One sample; `steps` is for engines that can stop halfway."""
        if self._waiting:
            yield [self._one(self._waiting.popleft())]

    def _one(self, one: Sequence) -> Answer:
        loop = _Loop(one, self._texts)
        try:
            self._generate(one, loop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return Failed(one.id, f"out of memory on a prompt of {len(one.prompt):,} tokens, alone")
        self._usage.computed += len(one.prompt)
        self._usage.generated += len(one.tokens)
        if loop.nan:
            return Failed(one.id, NAN)
        return self._texts.answer(one.id, one.tokens, one.sampling.stop, loop.finish or "length", one.tops)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _generate(self, one: Sequence, loop: _Loop) -> None:
        model = self._model
        model.use(one.adapter)
        ids = model.tensor(one.prompt)[None]
        # No end-of-sequence id: the loop itself says when it is over.
        config = GenerationConfig(max_new_tokens=one.sampling.max_tokens, do_sample=False, pad_token_id=0)
        model.net.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=config,
            logits_processor=[_Choose(loop, model.vocab[one.adapter])],
            stopping_criteria=[_Stop(loop)],
        )


class _Loop:
    """What the two hooks of transformers' loop share."""

    def __init__(self, one: Sequence, texts: Texts) -> None:
        self.one = one
        self.texts = texts
        self.nan = False
        self.finish: Finish | None = None


class _Choose(LogitsProcessor):  # type: ignore[misc]
    """Takes the token itself, and leaves the loop nothing else to choose."""

    def __init__(self, loop: _Loop, vocabulary: int) -> None:
        self._loop = loop
        self._vocabulary = vocabulary

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores[:, : self._vocabulary].float()
        self._loop.nan = not bool(torch.isfinite(logits.logsumexp(-1)).all())
        (token,) = next_tokens(logits, [self._loop.one])
        self._loop.one.tokens.append(token)
        forced = torch.full_like(scores, -torch.inf)
        forced[:, token] = 0.0
        return forced


class _Stop(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, loop: _Loop) -> None:
        self._loop = loop

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        loop, one = self._loop, self._loop.one
        if one.thinking:
            one.thinking = loop.texts.still_thinks(one.tokens)
        if not loop.nan and loop.texts.over(one.tokens, one.sampling.stop, one.thinking):
            loop.finish = "stop"
        over = loop.nan or loop.finish is not None
        return torch.full((len(input_ids),), over, dtype=torch.bool, device=input_ids.device)
