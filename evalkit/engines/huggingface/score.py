"""Computes log-probabilities of continuations, reading each token of their contexts once.

    packed  a context and all its continuations are one row; a mask separates the continuations from each other
    prefix  a context is read once, and each continuation is a row that starts from its keys and values
    plain   every continuation of several tokens is read with its whole context, as in lm-eval

In all three, continuations of one token need only the context, and logits are computed only where they are needed.
`packed` and `prefix` also share the common prefixes of several contexts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from evalkit.engines.huggingface.cache import KeyValues, cache_over, read
from evalkit.engines.huggingface.memory import Budget
from evalkit.engines.huggingface.model import Model, is_out_of_memory
from evalkit.engines.huggingface.prefixes import CachedPrefix, PrefixCache, Tokens, tokens_of
from evalkit.types import Answer, Failed, Score, Scored, Usage

__all__ = ["Reader", "Scorer", "ScoringPath"]

ScoringPath = Literal["packed", "prefix", "plain"]

_LOGIT_ROWS = 512
"""How many rows of logits are converted to float32 at once."""

NAN = "NaN logits: the model gives no numbers here (broken weights, or float16 where bfloat16 is wanted)"


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A continuation to score in a row. `branch`: its number among the row's branches; None for a single token."""

    id: int
    tokens: Tokens
    branch: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A row of a batch: a context, and continuations after it as branches."""

    prompt: Tokens
    branches: tuple[Tokens, ...]
    targets: tuple[_Target, ...]

    def length(self, depth: int) -> int:
        return len(self.prompt) - depth + sum(map(len, self.branches))

    @property
    def logits(self) -> int:
        return 1 + sum(map(len, self.branches))


class Reader:
    """Computes the keys and values of prefixes, in several pieces if they are long."""

    def __init__(self, model: Model, budget: Budget, usage: Usage) -> None:
        self._model = model
        self._budget = budget
        self._usage = usage

    def extend(self, prefix: CachedPrefix, tokens: Tokens) -> CachedPrefix:
        """Read the tokens after a prefix; returns the longer prefix."""
        start = 0
        while start < len(tokens):
            piece = tokens[start : start + self._budget.tokens]
            try:
                keys_values = self._read(prefix, piece)
            except Exception as error:
                if not is_out_of_memory(error) or self._budget.tokens <= 256:
                    raise
                self._budget.shrink()
                continue
            self._usage.computed += len(piece)
            prefix = CachedPrefix(prefix.adapter, np.concatenate([prefix.tokens, piece]), keys_values)
            start += len(piece)
        return prefix

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _read(self, prefix: CachedPrefix, piece: Tokens) -> KeyValues:
        model = self._model
        cache = cache_over(prefix.keys_values, length=prefix.length)
        last = (model.tensor([0]), model.tensor([len(piece) - 1]))
        positions = model.tensor(np.arange(prefix.length, prefix.length + len(piece)))[None]
        model.forward(model.tensor(piece)[None], last, adapter=prefix.adapter, positions=positions, cache=cache)
        return read(cache)


class Scorer:
    """Scores continuations along one of the three paths."""

    def __init__(self, model: Model, budget: Budget, usage: Usage, path: ScoringPath = "packed") -> None:
        self.path: ScoringPath = path
        self._model = model
        self._budget = budget
        self._usage = usage
        self._reader = Reader(model, budget, usage)
        self._prefixes: PrefixCache[_Row] = PrefixCache(self._reader.extend, budget.launch)
        sliding = model.checkpoint.sliding_window
        self._sees = sliding if sliding is not None and sliding < model.window else None

    def run(self, items: Sequence[Score]) -> Iterator[list[Answer]]:
        """Score the items; yields the answers of one batch at a time."""
        for adapter in dict.fromkeys(item.adapter for item in items):
            rows: list[_Row] = []
            for item in items:
                if item.adapter != adapter:
                    continue
                if reason := self._refuses(item):
                    yield [Failed(id, reason) for id in item.ids]
                else:
                    rows += self._rows(item)
            if self.path == "plain":
                yield from self._batches(CachedPrefix(adapter, np.zeros(0, np.int32), None), rows)
            else:
                for prefix, members in self._prefixes.groups(adapter, rows):
                    yield from self._batches(prefix, members)

    # ── rows ─────────────────────────────────────────────────────────────────

    def _refuses(self, item: Score) -> str | None:
        model = self._model
        if item.adapter not in model.vocab:
            return f"no adapter named {item.adapter!r} is loaded"
        if not len(item.context) or not all(map(len, item.continuations)):
            return "an empty context or continuation has no log-probability"
        longest = len(item.context) + max(map(len, item.continuations)) - 1
        if longest > model.window:
            return f"{longest:,} tokens do not fit into the model's window of {model.window:,}"
        highest = max(max(item.context), *map(max, item.continuations))
        if highest >= model.vocab[item.adapter] or min(item.context) < 0:
            return f"token id {highest} is outside the model's vocabulary of {model.vocab[item.adapter]:,}"
        return None

    def _rows(self, item: Score) -> Iterator[_Row]:
        context = tokens_of(item.context)
        continuations = [(id, tokens_of(tokens)) for id, tokens in zip(item.ids, item.continuations, strict=True)]
        single = [_Target(id, tokens, None) for id, tokens in continuations if len(tokens) == 1]
        longer = [(id, tokens) for id, tokens in continuations if len(tokens) > 1]
        # The cost of reading each prompt by itself, counted in the same way as the plan's floor.
        self._usage.prompt += len(context) * (bool(single) + len(longer)) + sum(len(t) - 1 for _, t in longer)
        if self.path == "packed" and self._within(len(context) + sum(len(tokens) - 1 for _, tokens in longer)):
            targets = [_Target(id, tokens, at) for at, (id, tokens) in enumerate(longer)]
            yield _Row(context, tuple(tokens[:-1] for _, tokens in longer), (*single, *targets))
            return
        for id, tokens in longer:
            yield _Row(context, (tokens[:-1],), (*single, _Target(id, tokens, 0)))
            single = []
        if single:
            yield _Row(context, (), tuple(single))

    def _within(self, length: int) -> bool:
        """Whether so many tokens fit into the sliding window; beyond it, the model must make its own mask."""
        return self._sees is None or length <= self._sees

    # ── batches ──────────────────────────────────────────────────────────────

    def _batches(self, prefix: CachedPrefix, rows: list[_Row]) -> Iterator[list[Answer]]:
        depth = prefix.length
        batch: list[_Row] = []
        longest = waste = logits = 0
        for row in sorted(rows, key=lambda row: -row.length(depth)):
            length = row.length(depth)
            waste += longest - length if batch else 0
            logits += row.logits
            if batch and (waste > self._budget.launch or not self._budget.fits(len(batch) + 1, depth, longest, logits)):
                yield self._attempt(prefix, batch)
                batch, waste, logits = [], 0, row.logits
            if not batch:
                longest = length
            batch.append(row)
        if batch:
            yield self._attempt(prefix, batch)

    def _attempt(self, prefix: CachedPrefix, batch: list[_Row]) -> list[Answer]:
        """Run a batch. If memory runs out, split it into halves, down to one row that is read in pieces."""
        try:
            if len(batch) == 1 and self.path != "plain" and batch[0].length(prefix.length) > self._budget.tokens:
                prefix = self._reader.extend(prefix, batch[0].prompt[prefix.length : -1])
            answers: list[Answer] = self._run(prefix, batch)
            return answers
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler, so that the failed pass's tensors are freed before the next try.
        self._budget.shrink()
        self._prefixes.clear()
        if len(batch) > 1:
            half = len(batch) // 2
            return self._attempt(prefix, batch[:half]) + self._attempt(prefix, batch[half:])
        row = batch[0]
        if self.path != "plain" and row.length(prefix.length) > self._budget.tokens >= 512:
            return self._attempt(prefix, batch)
        return [
            Failed(target.id, f"out of memory on a prompt of {len(row.prompt):,} tokens, alone")
            for target in row.targets
        ]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _run(self, prefix: CachedPrefix, batch: list[_Row]) -> list[Answer]:
        model, depth = self._model, prefix.length
        width = max(row.length(depth) for row in batch)
        ids = np.zeros((len(batch), width), np.int64)
        positions = np.zeros((len(batch), width), np.int64)
        # 0 is the context, n the n-th continuation, -1 padding.
        part = np.full((len(batch), width), -1, np.int64)
        at_row: list[int] = []
        at_column: list[int] = []
        targets: list[_Target] = []
        sources: list[list[int]] = []
        for r, row in enumerate(batch):
            end = len(row.prompt) - depth
            ids[r, :end] = row.prompt[depth:]
            positions[r, :end] = np.arange(depth, depth + end)
            part[r, :end] = 0
            starts: list[int] = []
            first = len(at_row)
            at_row.append(r)
            at_column.append(end - 1)
            cursor = end
            for number, branch in enumerate(row.branches, 1):
                starts.append(len(at_row))
                stop = cursor + len(branch)
                ids[r, cursor:stop] = branch
                positions[r, cursor:stop] = np.arange(len(row.prompt), len(row.prompt) + len(branch))
                part[r, cursor:stop] = number
                at_row += [r] * len(branch)
                at_column += range(cursor, stop)
                cursor = stop
            for target in row.targets:
                targets.append(target)
                start = 0 if target.branch is None else starts[target.branch]
                sources.append([first, *range(start, start + len(target.tokens) - 1)])
        branching = any(len(row.branches) > 1 for row in batch)
        logits = model.forward(
            model.tensor(ids),
            (model.tensor(at_row), model.tensor(at_column)),
            adapter=prefix.adapter,
            positions=model.tensor(positions) if self.path != "plain" else None,
            cache=cache_over(prefix.keys_values, length=depth) if depth else None,
            mask=self._mask(part, depth, branching) if self._within(depth + width) else None,
        )
        # Padding is not counted: it would hide how much work was shared.
        self._usage.computed += sum(row.length(depth) for row in batch)
        return _read_off(logits, targets, sources)

    def _mask(self, part: NDArray[np.int64], depth: int, branching: bool) -> torch.Tensor | None:
        """The attention mask; None if the causal mask of transformers is right."""
        if branching:
            return _tree_mask(self._model, self._model.tensor(part), depth)
        if depth and self.path == "packed":
            # The same for all rows, so it is made once here; transformers would convert its own mask in every layer.
            return _tree_mask(self._model, self._model.tensor(np.zeros_like(part[:1])), depth)
        return None


def _tree_mask(model: Model, part: torch.Tensor, depth: int) -> torch.Tensor:
    """An additive mask [rows, 1, tokens, prefix + tokens]: a token sees the context and its own branch before it."""
    length = part.shape[1]
    same_part = part[:, :, None] == part[:, None, :]
    context = (part == 0)[:, None, :]
    before = torch.ones((length, length), dtype=torch.bool, device=part.device).tril()
    mask = torch.zeros((part.shape[0], 1, length, depth + length), dtype=model.dtype, device=part.device)
    mask[:, 0, :, depth:].masked_fill_(~((same_part | context) & before), torch.finfo(model.dtype).min)
    return mask


def _read_off(logits: torch.Tensor, targets: list[_Target], sources: list[list[int]]) -> list[Answer]:
    rows = np.concatenate([np.asarray(source) for source in sources])
    tokens = np.concatenate([target.tokens for target in targets]).astype(np.int64)
    values, is_best, is_number = _log_probabilities(logits, rows, tokens)
    ends = np.cumsum([len(source) for source in sources])
    answers: list[Answer] = []
    for target, start, end in zip(targets, [0, *ends[:-1]], ends, strict=True):
        if is_number[start:end].all():
            answers.append(Scored(target.id, float(values[start:end].sum()), bool(is_best[start:end].all())))
        else:
            answers.append(Failed(target.id, NAN))
    return answers


def _log_probabilities(logits: torch.Tensor, rows: Any, tokens: Any) -> tuple[Any, Any, Any]:
    """For each (row of logits, token): its log-probability, whether it is the best, and whether it is a number."""
    totals, bests = [], []
    for start in range(0, len(logits), _LOGIT_ROWS):
        piece = logits[start : start + _LOGIT_ROWS].float()
        totals.append(piece.logsumexp(-1))
        bests.append(piece.argmax(-1))
    at = torch.as_tensor(rows, device=logits.device)
    which = torch.as_tensor(tokens, device=logits.device)
    total = torch.cat(totals)[at]
    values = logits[at, which].float() - total
    best = torch.cat(bests)[at] == which
    return values.double().cpu().numpy(), best.cpu().numpy(), torch.isfinite(total).cpu().numpy()
