"""Compares the fast paths with the plain path on this model, before the first real request.

Versions of transformers and architectures differ in how they treat masks, positions and caches from outside. A path
that does not give the numbers of the plain path is not used, and a note tells the user.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from evalkit.engines.huggingface.generate import Generator
from evalkit.engines.huggingface.memory import Budget
from evalkit.engines.huggingface.model import Model, is_out_of_memory, one_line
from evalkit.engines.huggingface.prefixes import tokens_of
from evalkit.engines.huggingface.score import Scorer, ScoringPath
from evalkit.engines.huggingface.sequence import Sequence
from evalkit.engines.huggingface.text import Texts
from evalkit.types import Failed, Sampling, Score, Scored, Usage

__all__ = ["Paths", "choose_paths"]

_TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}
"""The tolerance per token: far below the effect of a wrong mask or position, and above rounding in low precision."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths that passed the self-test."""

    scoring: ScoringPath
    together: bool
    """Whether generations may run in one batch."""
    notes: tuple[str, ...]


def choose_paths(model: Model, budget: Budget, tokenizer: Any, requested: ScoringPath | None) -> Paths:
    """The fastest paths to score and to generate that give the numbers of the plain path."""
    # The test prompts are so short that sharing would not be worth it: force it.
    eager = replace(budget, launch=1)
    scoring: ScoringPath = "plain"
    faults: dict[str, list[str]] = {}
    for path in ("packed", "prefix"):
        if requested is not None and path != requested:
            continue
        if (fault := _try_scoring(model, eager, path)) is None:
            scoring = path
            break
        faults.setdefault(fault, []).append(path)
    notes = [f"scoring on the {scoring} path, not {' or '.join(paths)}: {fault}" for fault, paths in faults.items()]
    fault = _try_generating(model, eager, tokenizer)
    if fault is not None:
        notes.append(f"generating one sample at a time, not in one batch: {fault}")
    return Paths(scoring, fault is None, tuple(notes))


def _try_scoring(model: Model, budget: Budget, path: ScoringPath) -> str | None:
    if fault := _unfit(model):
        return fault
    requests = list(_requests(model))
    try:
        plain = _scores(model, budget, "plain", requests)
        fast = _scores(model, budget, path, requests)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"it fails here ({one_line(error)})"
    tokens = [len(tokens) for item in requests for tokens in item.continuations]
    worst = max((abs(a - b) / n for a, b, n in zip(plain, fast, tokens, strict=True)), default=0.0)
    # Broken weights give NaN on every path: then nothing can be compared, and each request fails with a reason.
    if math.isnan(worst) or worst <= _TOLERANCE.get(model.dtype, 0.3):
        return None
    return f"its log-probabilities differ from the plain path's by {worst:.2g} a token"


def _unfit(model: Model) -> str | None:
    """Why this architecture cannot use a fast path; None if it may."""
    if getattr(model.net, "_is_stateful", False):
        return "its layers carry a state that cannot be cut and joined"
    if not model.takes_positions:
        return "this architecture takes no positions"
    return None


def _scores(model: Model, budget: Budget, path: ScoringPath, requests: list[Score]) -> list[float]:
    scores: dict[int, float] = {}
    for answers in Scorer(model, replace(budget), Usage(), path).run(requests):
        for answer in answers:
            assert isinstance(answer, (Scored, Failed))
            scores[answer.id] = answer.logprob if isinstance(answer, Scored) else math.nan
    return [scores[id] for item in requests for id in item.ids]


def _requests(model: Model) -> Iterator[Score]:
    """Contexts of different lengths that share a prefix, which is longer than a short sliding window."""
    random = np.random.default_rng(0)
    window = model.checkpoint.sliding_window or 0
    beginning = min(max(24, window + 8 if window <= 1024 else 0), model.window - 20)

    def some(count: int) -> array[int]:
        return array("i", random.integers(3, model.vocab[None], count).tolist())

    shared = some(max(1, beginning))
    contexts = [shared + some(length) for length in (3, 9, 5)] + [shared[:4] + some(2), shared[:4] + some(3)]
    for number, context in enumerate(contexts):
        ids = tuple(range(4 * number, 4 * number + 4))
        yield Score(ids, context, (some(1), some(4), some(2), some(1)))


def _try_generating(model: Model, budget: Budget, tokenizer: Any) -> str | None:
    """Generate a few tokens in a batch, then check by a plain pass that each was the best token, or nearly."""
    if fault := _unfit(model):
        return fault
    rows = [
        Sequence(id, tokens_of(item.context), Sampling(max_tokens=3 + id), None, 0, [], False)
        for id, item in enumerate(_requests(model))
    ]
    generator = Generator(model, replace(budget), Usage(), Texts(tokenizer, ()))
    generator.put(rows)
    try:
        while generator.busy:
            for _ in generator.advance(8):
                pass
        worst = max((_regret(model, sequence) for sequence in rows if sequence.tokens), default=math.nan)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"it fails here ({one_line(error)})"
    if math.isnan(worst) or worst <= 2 * _TOLERANCE.get(model.dtype, 0.3):
        return None
    return f"it takes tokens that are not the plain path's best (by {worst:.2g})"


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _regret(model: Model, sequence: Sequence) -> float:
    """The largest difference between the plain pass's best logit and that of the generated token."""
    prompt, tokens = sequence.prompt.tolist(), sequence.tokens
    ids = model.tensor([*prompt, *tokens[:-1]])[None]
    columns = torch.arange(len(prompt) - 1, ids.shape[1], device=model.device)
    logits = model.forward(ids, (torch.zeros_like(columns), columns)).float()
    taken = logits.gather(-1, model.tensor(tokens)[:, None].to(logits.device))[:, 0]
    return float((logits.max(-1).values - taken).max())
