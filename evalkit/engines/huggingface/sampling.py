"""Chooses the next token from logits. Each sample has its own random numbers, so it can be repeated by itself."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from evalkit.errors import UsageError, nearest
from evalkit.types import Arguments, Sampling

__all__ = ["Draw", "alternatives", "draw", "processors", "stream"]

Draw = tuple[float, float, int, float]
"""Temperature, top_p, top_k, min_p: rows with the same values are sampled together."""

_PLAIN = {"do_sample": None, "num_beams": 1, "use_cache": True, "num_return_sequences": 1, "early_stopping": None}
"""Generation options in lm-eval's tasks, with the values that have no effect (None: any value)."""

_READ_OFF = "top_logprobs"
"""The option that asks for each token's most likely alternatives; it does not change the tokens."""

_ELSEWHERE = ("self_debias",)
"""Options that another generator reads."""

_KNOWN = ("no_repeat_ngram_size", "min_new_tokens", "suppress_tokens", "begin_suppress_tokens", "bad_words_ids")


def stream(sampling: Sampling, prompt: bytes, sample: int) -> np.random.Generator:
    """The random numbers of one sample, which do not depend on the rest of the batch."""
    digest = hashlib.blake2b(prompt, digest_size=16, salt=sample.to_bytes(8, "little"))
    digest.update(repr(sampling.seed).encode())
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))


def draw(logits: torch.Tensor, how: Draw, numbers: list[float]) -> torch.Tensor:
    """Sample one token per row. `numbers`: a uniform random number per row. Filters apply in transformers' order."""
    temperature, top_p, top_k, min_p = how
    scores = logits.float() / temperature
    if 0 < top_k < scores.shape[-1]:
        weakest = scores.topk(top_k).values[:, -1:]
        scores = scores.masked_fill(scores < weakest, -torch.inf)
    if top_p < 1.0:
        ordered, order = scores.sort(descending=True)
        probabilities = ordered.softmax(-1)
        # A token is kept if those before it sum up to less than top_p; the first is always kept.
        beyond = probabilities.cumsum(-1) - probabilities >= top_p
        scores = scores.masked_fill(beyond.scatter(-1, order, beyond), -torch.inf)
    if min_p > 0.0:
        probabilities = scores.softmax(-1)
        floor = min_p * probabilities.max(-1, keepdim=True).values
        scores = scores.masked_fill(probabilities < floor, -torch.inf)
    sums = scores.softmax(-1).double().cumsum(-1)
    wanted = torch.tensor(numbers, dtype=torch.float64, device=sums.device)[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, wanted, right=True)[:, 0].clamp(max=scores.shape[-1] - 1)


def alternatives(sampling: Sampling) -> int:
    """How many alternatives of each token are requested."""
    return int(dict(sampling.extra).get(_READ_OFF) or 0)


def processors(
    sampling: Sampling, defaults: Arguments, eos_ids: tuple[int, ...], prompt_length: int, device: torch.device
) -> list[Any]:
    """The logits processors of a request, from its options or else from the model's generation config.

    The generation config's penalties apply because they do in lm-eval's `hf` backend; its temperature, top_p and
    top_k do not, because the task sets them.
    """
    from transformers.generation import logits_process as library

    extra = dict(sampling.extra)
    extra.pop(_READ_OFF, None)
    for name in _ELSEWHERE:
        extra.pop(name, None)
    for name in list(extra):
        if name in _PLAIN:
            value = extra.pop(name)
            if _PLAIN[name] is not None and value != _PLAIN[name]:
                raise UsageError(f"the hf engine generates without {name}={value}: it samples or takes the best token")
        elif name not in _KNOWN:
            names = [*_KNOWN, *_PLAIN, _READ_OFF, "temperature", "top_p", "top_k", "min_p", "repetition_penalty"]
            raise UsageError(f"the hf engine has no generation option {name!r}{nearest(name, names)}")

    def setting(name: str) -> Any:
        value = extra.get(name, defaults.get(name))
        return list(value) if isinstance(value, tuple) else value

    made: list[Any] = []
    penalty = sampling.repetition_penalty if sampling.repetition_penalty != 1.0 else defaults.get("repetition_penalty")
    if penalty and penalty != 1.0:
        made.append(library.RepetitionPenaltyLogitsProcessor(float(penalty)))
    if setting("no_repeat_ngram_size"):
        made.append(library.NoRepeatNGramLogitsProcessor(int(setting("no_repeat_ngram_size"))))
    if setting("bad_words_ids"):
        made.append(
            library.NoBadWordsLogitsProcessor([list(ids) for ids in setting("bad_words_ids")], list(eos_ids) or None)
        )
    if setting("min_new_tokens") and eos_ids:
        made.append(
            library.MinNewTokensLengthLogitsProcessor(
                prompt_length, int(setting("min_new_tokens")), list(eos_ids), device=str(device)
            )
        )
    if setting("suppress_tokens"):
        made.append(library.SuppressTokensLogitsProcessor(setting("suppress_tokens"), device=str(device)))
    if setting("begin_suppress_tokens"):
        made.append(
            library.SuppressTokensAtBeginLogitsProcessor(
                setting("begin_suppress_tokens"), prompt_length, device=str(device)
            )
        )
    return made
