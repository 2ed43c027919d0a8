"""The training text: which kinds in which shares, and packing them into rows of tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from tools.nano import symbolic
from tools.nano.chat import conversation
from tools.nano.prose import FORMS
from tools.nano.render import MAKERS, Span, few_shot
from tools.nano.split import draw, rng_for

__all__ = ["END", "Rows", "document", "rows"]

END = "<|end|>"

# How often a kind is drawn, how many shots it shows at most, and what its answers weigh in the loss.
# Documents differ in length: counted in tokens, no task has more than a third.
_SHARES: dict[str, tuple[float, int, float]] = {
    "knowledge": (0.24, 5, 3.0),
    "endings": (0.28, 2, 1.0),
    "arithmetic": (0.12, 4, 1.0),
    "symbolic": (0.09, 5, 1.0),
    "code": (0.13, 2, 1.0),
    "chat": (0.06, 0, 1.0),
    "prose": (0.08, 0, 0.5),
}
# Questions are mostly noise to a learner (which names, which wrong choices?), so they weigh little,
# and only this part of their tokens is predicted at all: that saves a fifth of the work.
_ASKED = 0.3
_LOOKED_AT = 0.3


def document(rng: random.Random) -> list[Span]:
    """One training document. It ends with the end token."""
    kind = rng.choices(list(_SHARES), [share[0] for share in _SHARES.values()])[0]
    _, most, answered = _SHARES[kind]
    asked = _ASKED
    if kind == "chat":
        return conversation(rng, asked, answered)
    if kind == "prose":
        form = rng.choices([form for form, _ in FORMS], [often for _, often in FORMS])[0]
        return [(form(rng), answered), (END, answered)]
    makers: list[Callable[..., object]] = [MAKERS[kind]] * rng.randint(1, most)
    docs = [draw(make, rng, "train").doc for make in makers]
    if kind == "symbolic" and len(docs) >= 4:
        # The task shows one shot of each kind; so does this.
        shots = [draw(make, rng, "train").doc for make in symbolic.KINDS.values()]
        docs = [*shots, docs[-1]]
    return [*few_shot(kind, docs, asked, answered), (END, answered)]


@dataclass(frozen=True, slots=True)
class Rows:
    ids: np.ndarray
    weights: np.ndarray
    """How much predicting `ids[:, i]` counts."""


def _encode(tokenizer: Tokenizer, spans: list[Span]) -> tuple[list[int], list[float]]:
    """The whole text is encoded at once, as a harness does; a token weighs what the span it starts in weighs."""
    encoded = tokenizer.encode("".join(text for text, _ in spans))
    edges = np.cumsum([len(text) for text, _ in spans])
    starts = [start for start, _ in encoded.offsets]
    weights = [spans[int(i)][1] for i in np.searchsorted(edges, starts, side="right")]
    return encoded.ids, weights


def rows(
    tokenizer: Tokenizer,
    seed: int,
    shape: Callable[[int], tuple[int, int]],
    make: Callable[[random.Random], list[Span]] = document,
    stream: str = "nano",
) -> Iterator[Rows]:
    """Batches without end; `shape(step)` gives (rows, length). The last document of a row is cut to fit."""
    step = 0
    while True:
        count, length = shape(step)
        ids = np.zeros((count, length), dtype=np.int64)
        weights = np.zeros((count, length), dtype=np.float32)
        for row in range(count):
            rng = rng_for(stream, seed, step, row)
            at = 0
            while at < length:
                tokens, loss = _encode(tokenizer, make(rng))
                loss = [w if w != _ASKED or rng.random() < _LOOKED_AT else 0.0 for w in loss]
                take = min(len(tokens), length - at)
                ids[row, at : at + take], weights[row, at : at + take] = tokens[:take], loss[:take]
                at += take
        yield Rows(ids, weights)
        step += 1
