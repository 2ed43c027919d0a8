"""Sampling parameters, seeds, stop strings and reasoning, with lm-eval's semantics on vLLM."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import UsageError, nearest
from evalkit.types import Finish, Sampling, TokenIds

__all__ = ["TOPS", "Thinking", "finished_text", "sample_seed", "sampling_fields"]

TOPS = "top_logprobs"
"""The option in `Sampling.extra` that asks for the most likely alternatives of each generated token."""

_NEUTRAL: Mapping[str, int | bool] = {"num_beams": 1, "num_return_sequences": 1, "use_cache": True, "n": 1}
"""Options of other engines in task files, with the values that have no effect."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The markers of a reasoning model."""

    end: str
    eos: str = ""
    """The end-of-sequence text: the only stop string that also works inside the reasoning."""
    start: str | None = None
    """What begins the reasoning, where it is known."""
    opened: bool = True
    """Prompts end inside the reasoning. Else the model begins it, or answers at once."""

    @property
    def begin(self) -> str | None:
        return self.end.replace("/", "", 1) if "/" in self.end else None


def sample_seed(sampling: Sampling, prompt: TokenIds, sample: int) -> int | None:
    """The seed of a sample, which does not depend on other samples.

    The first sample uses a requested seed unchanged, as in lm-eval. All other seeds also depend on the prompt: else
    all documents would be sampled with the same random numbers.
    """
    if sampling.temperature == 0:
        return None
    if sampling.seed is not None and sample == 0:
        return sampling.seed
    digest = hashlib.blake2b(f"{sampling.seed}\0{sample}\0".encode() + prompt.tobytes(), digest_size=8)
    return int.from_bytes(digest.digest(), "big") >> 1


def sampling_fields(
    sampling: Sampling, prompt: TokenIds, sample: int, options: Collection[str], thinking: Thinking | None
) -> dict[str, object]:
    """Arguments for vLLM's SamplingParams. `options`: the names that it takes."""
    extra = {name: value for name, value in sampling.extra if _NEUTRAL.get(name, _NEUTRAL) != value and name != TOPS}
    for name in extra:
        if name not in options:
            raise UsageError(f"vLLM has no sampling option {name!r}{nearest(name, options)} (--gen-kwargs)")
    stop = [text for text in sampling.stop if text and (thinking is None or text == thinking.eos)]
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "stop": stop,
        "seed": sample_seed(sampling, prompt, sample),
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
        **extra,
    }


def finished_text(
    text: str, finish: Finish, stop: Sequence[str], thinking: Thinking | None
) -> tuple[str, str | None, Finish]:
    """Split a text into answer, reasoning and finish. Stop strings apply only to the answer, not to the reasoning."""
    reasoning = None
    if thinking is not None:
        before, marker, after = text.rpartition(thinking.end)
        if marker:
            reasoning, text = before, after.lstrip()
            if thinking.start and reasoning.lstrip().startswith(thinking.start):
                reasoning = reasoning.lstrip().removeprefix(thinking.start)
        elif thinking.start is not None and not thinking.opened:
            if text.lstrip().startswith(thinking.start):
                return "", text.lstrip().removeprefix(thinking.start), "unfinished"
        elif thinking.start or finish == "length" or (thinking.begin is not None and thinking.begin in text):
            return "", text, "unfinished"
    for term in stop:
        if term and term in text:
            text = text.split(term)[0]
            finish = "stop"
    return text, reasoning, finish
