"""Generation of one sample at a time with the loop of transformers, for models whose KV cache cannot be split."""

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
    """Generates one sample after the other."""

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
        """Generate one whole sample; `steps` has no effect here."""
        if self._waiting:
            yield [self._sample(self._waiting.popleft())]

    def _sample(self, sequence: Sequence) -> Answer:
        loop = _Loop(sequence, self._texts)
        try:
            self._generate(sequence, loop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return Failed(sequence.id, f"out of memory on a prompt of {len(sequence.prompt):,} tokens, alone")
        self._usage.computed += len(sequence.prompt)
        self._usage.generated += len(sequence.tokens)
        if loop.nan:
            return Failed(sequence.id, NAN)
        return self._texts.answer(
            sequence.id, sequence.tokens, sequence.sampling.stop, loop.finish or "length", sequence.tops
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _generate(self, sequence: Sequence, loop: _Loop) -> None:
        model = self._model
        model.use(sequence.adapter)
        ids = model.tensor(sequence.prompt)[None]
        # No end-of-sequence id: _Stop decides when the loop ends.
        config = GenerationConfig(max_new_tokens=sequence.sampling.max_tokens, do_sample=False, pad_token_id=0)
        model.net.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=config,
            logits_processor=[_Choose(loop, model.vocab[sequence.adapter])],
            stopping_criteria=[_Stop(loop)],
        )


class _Loop:
    """The state that the two hooks of transformers' loop share."""

    def __init__(self, sequence: Sequence, texts: Texts) -> None:
        self.sequence = sequence
        self.texts = texts
        self.nan = False
        self.finish: Finish | None = None


class _Choose(LogitsProcessor):  # type: ignore[misc]
    """Chooses the token, and sets the scores of all others to -inf, so that the loop takes it."""

    def __init__(self, loop: _Loop, vocabulary: int) -> None:
        self._loop = loop
        self._vocabulary = vocabulary

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores[:, : self._vocabulary].float()
        self._loop.nan = not bool(torch.isfinite(logits.logsumexp(-1)).all())
        (token,) = next_tokens(logits, [self._loop.sequence])
        self._loop.sequence.tokens.append(token)
        forced = torch.full_like(scores, -torch.inf)
        forced[:, token] = 0.0
        return forced


class _Stop(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, loop: _Loop) -> None:
        self._loop = loop

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        loop, sequence = self._loop, self._loop.sequence
        if sequence.thinking:
            sequence.thinking = loop.texts.still_thinks(sequence.tokens)
        if not loop.nan and loop.texts.over(sequence.tokens, sequence.sampling.stop, sequence.thinking):
            loop.finish = "stop"
        over = loop.nan or loop.finish is not None
        return torch.full((len(input_ids),), over, dtype=torch.bool, device=input_ids.device)
