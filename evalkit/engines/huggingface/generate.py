"""Generation with continuous batching: rows leave the batch when they end, and new prompts join it between steps.

Prompts are read like the contexts of scoring, each shared prefix once. Then the keys and values of all rows are padded
on the left, so that all rows end at the same position, and each step generates one token for every row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from evalkit.engines.huggingface.cache import KeyValues, cache_over, left_padded, read
from evalkit.engines.huggingface.memory import Budget
from evalkit.engines.huggingface.model import Model, is_out_of_memory
from evalkit.engines.huggingface.prefixes import CachedPrefix, PrefixCache
from evalkit.engines.huggingface.score import NAN, Reader
from evalkit.engines.huggingface.sequence import Sequence, next_tokens, refuses, sequences
from evalkit.engines.huggingface.text import Texts
from evalkit.types import Answer, Failed, Finish, Generate, Usage

__all__ = ["Generator", "take"]

Joining = list[tuple[KeyValues, list[tuple[Sequence, int]]]]
"""The prompts that join: keys and values of each batch, and its sequences with their rows."""

_ROOM = 128
"""Tokens by which the running batch's buffers grow."""


class Generator:
    """Generates with continuous batching."""

    def __init__(self, model: Model, budget: Budget, usage: Usage, texts: Texts) -> None:
        self._model = model
        self._budget = budget
        self._usage = usage
        self._texts = texts
        self._reader = Reader(model, budget, usage)
        self._prefixes: PrefixCache[Sequence] = PrefixCache(self._reader.extend, budget.launch)
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._length = 0
        """The position at which all rows of the batch end; row i begins at `_length - _lengths[i]`."""
        self._lengths: list[int] = []
        self._cache: Any = None

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._running)

    @property
    def hungry(self) -> bool:
        """Whether the queue has space for more prompts."""
        return len(self._waiting) < 2 * self._budget.generating

    def add(self, item: Generate) -> list[Answer]:
        """Queue an item. One that cannot be served is answered at once."""
        if reason := refuses(self._model, item):
            return [Failed(id, reason) for id in item.ids]
        self._usage.prompt += len(item.prompt)
        self.put(sequences(self._model, item, self._texts.thinks))
        return []

    def put(self, rows: Iterable[Sequence]) -> None:
        self._waiting += rows

    def advance(self, steps: int) -> Iterator[list[Answer]]:
        """Admit prompts that fit, generate up to `steps` tokens for every row, and yield the finished answers."""
        for _ in range(steps):
            if self._has_room():
                yield from self._admit()
            if not self._running:
                return
            yield self._guarded(self._step, self._running)
            # Dropping rows copies the others, which costs about as much as a few steps of the dropped rows.
            if 4 * sum(sequence.over for sequence in self._running) >= len(self._running):
                yield self._guarded(self._repack, self._running)

    def _has_room(self) -> bool:
        """Whether enough prompts wait: joining copies the running rows, so it waits for a quarter of their number."""
        running = sum(not sequence.over for sequence in self._running)
        joining = min(len(self._waiting), self._budget.generating - running)
        return joining > 0 and 4 * joining >= running

    # ── prompts in ───────────────────────────────────────────────────────────

    def _admit(self) -> Iterator[list[Answer]]:
        chosen = self._choose()
        if not chosen:
            return
        joining: Joining = []
        for prefix, members in self._prefixes.groups(chosen[0].adapter, chosen):
            for batch in self._batches(prefix, members):
                yield from self._read(prefix, batch, joining)
        together = [*self._running, *(sequence for _, rows in joining for sequence, _ in rows)]
        yield self._guarded(lambda: self._repack(joining), together)

    def _choose(self) -> list[Sequence]:
        """Take waiting prompts that fit beside the running rows. All rows must use the same adapter."""
        running = [sequence for sequence in self._running if not sequence.over]
        adapter = running[0].adapter if running else (self._waiting[0].adapter if self._waiting else None)
        longest = max((sequence.most for sequence in running), default=0)
        chosen: list[Sequence] = []
        while self._waiting and self._waiting[0].adapter == adapter:
            longest = max(longest, self._waiting[0].most)
            rows = len(running) + len(chosen) + 1
            if rows > 1 and not self._budget.fits_generating(rows, longest):
                break
            chosen.append(self._waiting.popleft())
        return chosen

    def _batches(self, prefix: CachedPrefix, members: list[Sequence]) -> Iterator[list[Sequence]]:
        batch: list[Sequence] = []
        longest = waste = 0
        for sequence in sorted(members, key=lambda sequence: -len(sequence.prompt)):
            length = len(sequence.prompt) - prefix.length
            waste += longest - length if batch else 0
            full = not self._budget.fits(len(batch) + 1, prefix.length, longest, len(batch) + 1)
            if batch and (waste > self._budget.launch or full):
                yield batch
                batch, waste = [], 0
            if not batch:
                longest = length
            batch.append(sequence)
        if batch:
            yield batch

    def _read(self, prefix: CachedPrefix, batch: list[Sequence], joining: Joining) -> Iterator[list[Answer]]:
        """Read a batch of prompts and generate the first token of each."""
        try:
            if len(batch) == 1 and len(batch[0].prompt) - prefix.length > self._budget.tokens:
                prefix = self._reader.extend(prefix, batch[0].prompt[prefix.length : -1])
            logits, keys_values = self._prefill(prefix, batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            logits = None
        if logits is None:
            self._budget.shrink()
            self._prefixes.clear()
            if len(batch) > 1:
                for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                    yield from self._read(prefix, half, joining)
            elif self._running:
                self._waiting.appendleft(batch[0])
            else:
                yield [Failed(batch[0].id, f"out of memory on a prompt of {len(batch[0].prompt):,} tokens, alone")]
            return
        yield self._take(logits, batch)
        alive = [(sequence, row) for row, sequence in enumerate(batch) if not sequence.over]
        if alive:
            joining.append((keys_values, alive))

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _prefill(self, prefix: CachedPrefix, batch: list[Sequence]) -> tuple[torch.Tensor, KeyValues]:
        model, depth = self._model, prefix.length
        lengths = [len(sequence.prompt) - depth for sequence in batch]
        ids = np.zeros((len(batch), max(lengths)), np.int64)
        positions = np.zeros_like(ids)
        for row, (sequence, length) in enumerate(zip(batch, lengths, strict=True)):
            ids[row, :length] = sequence.prompt[depth:]
            positions[row, :length] = np.arange(depth, depth + length)
        cache = cache_over(prefix.keys_values, length=depth)
        logits = model.forward(
            model.tensor(ids),
            (model.tensor(range(len(batch))), model.tensor([length - 1 for length in lengths])),
            adapter=prefix.adapter,
            positions=model.tensor(positions),
            cache=cache,
        )
        self._usage.computed += sum(lengths)
        return logits, read(cache)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _repack(self, joining: Joining | None = None) -> list[Answer]:
        """Put the running and the joining rows into one left-padded batch, and drop those that ended."""
        staying = [(sequence, row) for row, sequence in enumerate(self._running) if not sequence.over]
        parts: list[tuple[KeyValues, list[tuple[int, int, int]]]] = []
        lengths: list[int] = []
        if staying:
            held = read(self._cache)
            parts.append((held, [(row, self._length - self._lengths[row], self._length) for _, row in staying]))
            lengths += [self._lengths[row] for _, row in staying]
        for keys_values, rows in joining or ():
            parts.append((keys_values, [(row, 0, len(sequence.prompt)) for sequence, row in rows]))
            lengths += [len(sequence.prompt) for sequence, _ in rows]
        self._running = [sequence for sequence, _ in staying] + [
            sequence for _, rows in joining or () for sequence, _ in rows
        ]
        self._lengths = lengths
        self._length = max(lengths, default=0)
        self._cache = None
        if parts:
            merged = left_padded(parts, self._length, _ROOM)
            self._cache = cache_over(merged, length=self._length, room=_ROOM)
        return []

    # ── tokens out ───────────────────────────────────────────────────────────

    def _guarded(self, action: Callable[[], list[Answer]], rows: list[Sequence]) -> list[Answer]:
        """Run an action. If memory runs out, put `rows` back into the queue and allow fewer rows at once."""
        try:
            return action()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        alive = [sequence for sequence in rows if not sequence.over]
        self._budget.shrink()
        self._prefixes.clear()
        self._running, self._lengths, self._cache, self._length = [], [], None, 0
        if len(alive) == 1:
            return [Failed(alive[0].id, "out of memory while generating, alone")]
        for sequence in alive:
            sequence.restart()
        self._waiting.extendleft(reversed(alive))
        return []

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _step(self) -> list[Answer]:
        model, rows = self._model, self._running
        ids = model.tensor([sequence.tokens[-1] for sequence in rows])[:, None]
        # Finished rows stay in the batch until they are dropped, and must not exceed the window's positions.
        positions = model.tensor([min(length, model.window - 1) for length in self._lengths])[:, None]
        mask = None
        if min(self._lengths) < self._length:
            starts = model.tensor([self._length - length for length in self._lengths])
            mask = (torch.arange(self._length + 1, device=model.device)[None] >= starts[:, None]).long()
        at = (
            torch.arange(len(rows), device=model.device),
            torch.zeros(len(rows), dtype=torch.long, device=model.device),
        )
        logits = model.forward(ids, at, adapter=rows[0].adapter, positions=positions, cache=self._cache, mask=mask)
        self._length += 1
        self._lengths = [length + 1 for length in self._lengths]
        return self._take(logits, rows)

    def _take(self, logits: torch.Tensor, rows: list[Sequence]) -> list[Answer]:
        return take(logits, rows, self._texts, self._usage)


def take(logits: torch.Tensor, rows: list[Sequence], texts: Texts, usage: Usage) -> list[Answer]:
    """Take the next token of every unfinished row; returns the answers of rows that end with it."""
    logits = logits.float()
    broken: list[bool] = (~torch.isfinite(logits.logsumexp(-1))).cpu().tolist()
    answers: list[Answer] = []
    for sequence, token, nan in zip(rows, next_tokens(logits, rows), broken, strict=True):
        if sequence.over:
            continue
        if nan:
            sequence.over = True
            answers.append(Failed(sequence.id, NAN))
            continue
        sequence.tokens.append(token)
        usage.generated += 1
        if sequence.thinking:
            sequence.thinking = texts.still_thinks(sequence.tokens)
        finish: Finish | None = None
        if texts.over(sequence.tokens, sequence.sampling.stop, sequence.thinking):
            finish = "stop"
        elif len(sequence.tokens) >= sequence.sampling.max_tokens:
            finish = "length"
        if finish:
            sequence.over = True
            answers.append(texts.answer(sequence.id, sequence.tokens, sequence.sampling.stop, finish, sequence.tops))
    return answers
