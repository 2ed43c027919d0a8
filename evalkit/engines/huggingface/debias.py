"""Generation with self-debiasing: each sample is one row of the batch beside its copies with a prefix each.

All rows of a sample go on with the same token, chosen from the debiased distribution of `debias_rule`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from evalkit.engines.huggingface.cache import KeyValues, cache_over, left_padded, read
from evalkit.engines.huggingface.debias_rule import Debias, debias_of, debiased_logprobs
from evalkit.engines.huggingface.generate import take
from evalkit.engines.huggingface.memory import Budget
from evalkit.engines.huggingface.model import Model, is_out_of_memory
from evalkit.engines.huggingface.prefixes import Tokens
from evalkit.engines.huggingface.sequence import Sequence, refuses, sequences
from evalkit.engines.huggingface.text import Texts
from evalkit.types import Answer, Failed, Generate, Usage

__all__ = ["DebiasingGenerator"]

_ROOM = 128


@dataclass(slots=True, eq=False)
class _Sample:
    sequence: Sequence
    copies: list[Tokens]
    """The prompt after each prefix."""
    debias: Debias

    @property
    def rows(self) -> list[Tokens]:
        return [self.sequence.prompt, *self.copies]

    @property
    def longest(self) -> int:
        return max(len(prompt) for prompt in self.rows) + self.sequence.sampling.max_tokens


class DebiasingGenerator:
    """Generates batch after batch: a batch ends when all its samples have."""

    def __init__(self, model: Model, budget: Budget, usage: Usage, texts: Texts, tokenizer: Any) -> None:
        self._model = model
        self._budget = budget
        self._usage = usage
        self._texts = texts
        self._tokenizer = tokenizer
        self._prefixes: dict[str, list[int]] = {}
        self._waiting: deque[_Sample] = deque()
        self._running: list[_Sample] = []
        self._cache: Any = None
        self._lengths: list[int] = []
        self._length = 0

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    @property
    def hungry(self) -> bool:
        return len(self._waiting) < 2 * self._budget.generating

    def add(self, item: Generate) -> list[Answer]:
        debias = debias_of(item.sampling)
        assert debias is not None
        if reason := refuses(self._model, item):
            return [Failed(id, reason) for id in item.ids]
        made = list(sequences(self._model, item, self._texts.thinks))
        try:
            copies = [self._copy(made[0], prefix) for prefix in debias.prefixes]
        except ValueError as error:
            return [Failed(id, str(error)) for id in item.ids]
        self._usage.prompt += len(item.prompt) + sum(map(len, copies))
        self._waiting += [_Sample(sequence, copies, debias) for sequence in made]
        return []

    def advance(self, steps: int) -> Iterator[list[Answer]]:
        """Start a batch where none runs, then generate up to `steps` tokens for each of its samples."""
        if not self._running and self._waiting:
            yield self._guarded(self._begin)
        for _ in range(steps):
            if not self._running:
                return
            yield self._guarded(self._step)

    # ── prompts in ───────────────────────────────────────────────────────────

    def _copy(self, sequence: Sequence, prefix: str) -> Tokens:
        """The token that begins a text, a prefix, and the prompt. A prompt that is too long loses its beginning."""
        if prefix not in self._prefixes:
            self._prefixes[prefix] = [int(t) for t in self._tokenizer.encode(prefix, add_special_tokens=False)]
        before, prompt = self._prefixes[prefix], sequence.prompt
        start = (
            prompt[:1]
            if len(prompt) and int(prompt[0]) == getattr(self._tokenizer, "bos_token_id", None)
            else prompt[:0]
        )
        room = self._model.window - sequence.sampling.max_tokens - len(before) - len(start)
        if room < 1:
            raise ValueError(
                f"no room for a prefix of {len(before)} tokens in the model's window of {self._model.window}"
            )
        rest = prompt[len(start) :]
        return np.concatenate([start, np.asarray(before, prompt.dtype), rest[-room:]])

    def _choose(self) -> list[_Sample]:
        chosen: list[_Sample] = []
        longest = rows = 0
        while self._waiting:
            sample = self._waiting[0]
            longest, rows = max(longest, sample.longest), rows + len(sample.rows)
            other = chosen and chosen[0].sequence.adapter != sample.sequence.adapter
            if chosen and (other or not self._budget.fits_generating(rows, longest)):
                break
            chosen.append(self._waiting.popleft())
        return chosen

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _begin(self) -> list[Answer]:
        self._running = self._choose()
        prompts = [prompt for sample in self._running for prompt in sample.rows]
        adapter = self._running[0].sequence.adapter
        parts: list[tuple[KeyValues, list[tuple[int, int, int]]]] = []
        logits = []
        for batch in self._batches(prompts):
            heads, held = self._prefill(batch, adapter)
            logits.append(heads)
            parts.append((held, [(row, 0, len(prompt)) for row, prompt in enumerate(batch)]))
        self._lengths = [len(prompt) for prompt in prompts]
        self._length = max(self._lengths)
        self._cache = cache_over(left_padded(parts, self._length, _ROOM), length=self._length, room=_ROOM)
        return self._take(torch.cat(logits))

    def _batches(self, prompts: list[Tokens]) -> Iterator[list[Tokens]]:
        batch: list[Tokens] = []
        for prompt in prompts:
            longest = max(len(other) for other in (*batch, prompt))
            if batch and not self._budget.fits(len(batch) + 1, 0, longest, len(batch) + 1):
                yield batch
                batch = []
            batch.append(prompt)
        yield batch

    def _prefill(self, prompts: list[Tokens], adapter: str | None) -> tuple[torch.Tensor, KeyValues]:
        """The logits after each prompt, and its keys and values. Padding comes last, where no token attends to it."""
        model, lengths = self._model, [len(prompt) for prompt in prompts]
        ids = np.zeros((len(prompts), max(lengths)), np.int64)
        positions = np.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = prompt
            positions[row, : len(prompt)] = np.arange(len(prompt))
        cache = cache_over(None)
        logits = model.forward(
            model.tensor(ids),
            (model.tensor(range(len(prompts))), model.tensor([length - 1 for length in lengths])),
            adapter=adapter,
            positions=model.tensor(positions),
            cache=cache,
        )
        self._usage.computed += sum(lengths)
        return logits, read(cache)

    # ── tokens out ───────────────────────────────────────────────────────────

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _step(self) -> list[Answer]:
        model = self._model
        tokens = [sample.sequence.tokens[-1] for sample in self._running for _ in sample.rows]
        ids = model.tensor(tokens)[:, None]
        positions = model.tensor([min(length, model.window - 1) for length in self._lengths])[:, None]
        mask = None
        if min(self._lengths) < self._length:
            starts = model.tensor([self._length - length for length in self._lengths])
            mask = (torch.arange(self._length + 1, device=model.device)[None] >= starts[:, None]).long()
        rows = len(tokens)
        at = torch.arange(rows, device=model.device), torch.zeros(rows, dtype=torch.long, device=model.device)
        adapter = self._running[0].sequence.adapter
        logits = model.forward(ids, at, adapter=adapter, positions=positions, cache=self._cache, mask=mask)
        self._length += 1
        self._lengths = [length + 1 for length in self._lengths]
        return self._take(logits)

    def _take(self, logits: torch.Tensor) -> list[Answer]:
        """The next token of every sample, from the debiased distribution; the batch is over when all have ended."""
        chosen, first = [], 0
        for sample in self._running:
            own = logits[first : first + len(sample.rows)]
            chosen.append(debiased_logprobs(own[0], own[1:], sample.debias.decay, sample.debias.epsilon))
            first += len(sample.rows)
        answers = take(torch.stack(chosen), [sample.sequence for sample in self._running], self._texts, self._usage)
        if all(sample.sequence.over for sample in self._running):
            self._running, self._cache, self._lengths, self._length = [], None, [], 0
        return answers

    def _guarded(self, action: Any) -> list[Answer]:
        """Run an action. If memory runs out, the batch begins again with fewer samples at once."""
        try:
            answers: list[Answer] = action()
            return answers
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        alive = [sample for sample in self._running if not sample.sequence.over]
        alone = len(self._running) == 1
        self._running, self._cache, self._lengths, self._length = [], None, [], 0
        self._budget.shrink()
        if alone:
            return [Failed(sample.sequence.id, "out of memory while generating, alone") for sample in alive]
        for sample in alive:
            sample.sequence.restart()
        self._waiting.extendleft(reversed(alive))
        return []
