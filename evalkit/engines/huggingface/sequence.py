"""A sample that is being generated, and the choice of its next token."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from evalkit.engines.huggingface.model import Model
from evalkit.engines.huggingface.prefixes import Tokens, tokens_of
from evalkit.engines.huggingface.sampling import Draw, alternatives, draw, processors, stream
from evalkit.types import Generate, Sampling

__all__ = ["Sequence", "next_tokens", "refuses", "sequences"]


Alternatives = list[tuple[int, float]]
"""Token ids and their log-probabilities."""


@dataclass(slots=True, eq=False)
class Sequence:
    """A sample that is being generated."""

    id: int
    prompt: Tokens
    sampling: Sampling
    adapter: str | None
    sample: int
    processors: list[Any]
    thinks: bool
    tokens: list[int] = field(init=False)
    thinking: bool = field(init=False)
    random: np.random.Generator = field(init=False)
    tops: list[Alternatives] = field(init=False)
    """For each token: itself and its alternatives, if they were requested."""
    over: bool = False

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start again from the prompt, with the same random numbers."""
        self.tokens = []
        self.tops = []
        self.thinking = self.thinks
        self.random = stream(self.sampling, self.prompt.tobytes(), self.sample)

    @property
    def most(self) -> int:
        """The most tokens that it can have, prompt included."""
        return len(self.prompt) + self.sampling.max_tokens

    @property
    def draw(self) -> Draw | None:
        s = self.sampling
        return (s.temperature, s.top_p, s.top_k, s.min_p) if s.temperature > 0 else None


def refuses(model: Model, item: Generate) -> str | None:
    """Why an item cannot be served; None if it can."""
    if item.adapter not in model.vocab:
        return f"no adapter named {item.adapter!r} is loaded"
    if not len(item.prompt):
        return "the prompt has no tokens: the hf engine takes token ids"
    if len(item.prompt) + item.sampling.max_tokens > model.window:
        return (
            f"a prompt of {len(item.prompt):,} tokens and {item.sampling.max_tokens:,} to generate do not fit into the "
            f"model's window of {model.window:,}"
        )
    if max(item.prompt) >= model.vocab[item.adapter] or min(item.prompt) < 0:
        return f"token id {max(item.prompt)} is outside the model's vocabulary of {model.vocab[item.adapter]:,}"
    return None


def sequences(model: Model, item: Generate, thinks: bool) -> Iterator[Sequence]:
    prompt = tokens_of(item.prompt)
    made = processors(item.sampling, model.generation_defaults, model.eos_ids, len(prompt), model.device)
    for id, sample in zip(item.ids, item.samples, strict=True):
        yield Sequence(id, prompt, item.sampling, item.adapter, sample, made, thinks)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def next_tokens(logits: torch.Tensor, rows: Collection[Sequence]) -> list[int]:
    """The next token of each row; for finished rows, an arbitrary one."""
    going = [(row, sequence) for row, sequence in enumerate(rows) if not sequence.over]
    wanted = [(row, sequence, count) for row, sequence in going if (count := alternatives(sequence.sampling))]
    # The model's own log-probabilities, before penalties and temperature.
    plain = {row: logits[row].log_softmax(-1) for row, _, _ in wanted}
    for row, sequence in going:
        if sequence.processors:
            whole = torch.tensor([[*sequence.prompt.tolist(), *sequence.tokens]], device=logits.device)
            for process in sequence.processors:
                logits[row : row + 1] = process(whole, logits[row : row + 1].clone())
    chosen = logits.argmax(-1)
    for how in {sequence.draw for _, sequence in going if sequence.draw is not None}:
        drawn = [(row, sequence) for row, sequence in going if sequence.draw == how]
        which = torch.tensor([row for row, _ in drawn], device=logits.device)
        chosen[which] = draw(logits[which], how, [float(sequence.random.random()) for _, sequence in drawn])
    tokens = [int(token) for token in chosen.cpu().tolist()]
    for row, sequence, count in wanted:
        best = plain[row].topk(min(count, len(plain[row])))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        taken = (tokens[row], float(plain[row][tokens[row]]))
        sequence.tops.append([taken, *((token, value) for token, value in pairs if token != tokens[row])])
    return tokens
