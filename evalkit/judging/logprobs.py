"""From the log-probabilities of a judge's tokens to a score: Σ p·v over every way of writing every label.

Liu et al. (2023), "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment", section 2, equation (1); here
normalised by the mass that the labels cover, which is stored, so that a thin cover is seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.judging.scale import Scale

__all__ = ["Distribution", "from_path", "from_sequences", "from_tokens", "label_of", "token_at"]

Alternatives = Sequence[tuple[str, float]]

_OPENING = " \t\r\n*_`\"'“‘([{<:#▁Ġ"
_CLOSING = " \t\r\n*_`\"'”’)]}>.,;:!Ċ"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How likely each label is. `covered` is what all of them have together; the rest went elsewhere."""

    masses: Mapping[str, float]
    covered: float
    score: float | None

    @classmethod
    def of(cls, masses: Mapping[str, float], scale: Scale) -> Distribution:
        kept = {label: mass for label, mass in masses.items() if mass > 0}
        covered = math.fsum(kept.values())
        if covered <= 0:
            return cls({}, 0.0, None)
        score = math.fsum(mass * scale.labels[label] for label, mass in kept.items()) / covered
        # Rounding alone may carry a mean of ends past the end.
        return cls(kept, min(covered, 1.0), min(max(score, scale.low), scale.high))

    @property
    def entropy(self) -> float | None:
        """In nats, of the labels among themselves."""
        if not self.masses:
            return None
        total = math.fsum(self.masses.values())
        return -math.fsum(p / total * math.log(p / total) for p in self.masses.values())


def from_tokens(top_logprobs: Mapping[str, float] | Alternatives, scale: Scale) -> Distribution:
    """One position alone, as recorded judgments have it: every token that reads as a label counts for it."""
    pairs = list(top_logprobs.items()) if isinstance(top_logprobs, Mapping) else list(top_logprobs)
    masses: dict[str, float] = {}
    for token, logprob in dict(pairs).items():
        label = label_of(token, scale)
        if label is not None:
            masses[label] = masses.get(label, 0.0) + _p(logprob)
    return Distribution.of(masses, scale)


def from_path(positions: Sequence[Alternatives], scale: Scale, start: int = 0) -> Distribution:
    """From the token where the label starts, along the path that was sampled.

    Only on that path is it known what follows: `1` may go on to `10`, `8` to `8.5`. A token off the path that could
    still become another label counts for none, so that it shows as mass not covered.
    """
    masses: dict[str, float] = {}
    whole = {text for label in scale for text, _ in positions[start] if label_of(text, scale) == label}
    one_token = {label_of(text, scale) for text in whole}
    _walk(positions, start, "", 1.0, scale, one_token, masses)
    return Distribution.of(masses, scale)


def _walk(
    positions: Sequence[Alternatives],
    at: int,
    written: str,
    before: float,
    scale: Scale,
    one_token: set[str | None],
    masses: dict[str, float],
) -> None:
    if at >= len(positions) or not positions[at]:
        _settle(written, before, scale, masses)
        return
    chosen = positions[at][0][0]
    seen = 0.0
    for token, logprob in dict(positions[at]).items():
        mass = before * _p(logprob)
        seen += mass
        text = written + token if written else token.lstrip(_OPENING)
        if written and not _goes_on(written, token, scale):
            _settle(written, mass, scale, masses)
        elif token == chosen:
            _walk(positions, at + 1, text, mass, scale, one_token, masses)
        elif _ends(text) or not _could_grow(text, scale, one_token):
            _settle(text, mass, scale, masses)
    rest = before - seen
    if written and rest > 0 and not _extensions(written, scale):
        # Tokens too unlikely to be listed: none of them can make this label another one but a digit.
        _settle(written, rest, scale, masses)


def _settle(written: str, mass: float, scale: Scale, masses: dict[str, float]) -> None:
    label = label_of(written, scale)
    if label is not None:
        masses[label] = masses.get(label, 0.0) + mass


def label_of(text: str, scale: Scale) -> str | None:
    """The label that a text reads as, with spaces and punctuation around it."""
    for candidate in (text.strip(_OPENING).rstrip(_CLOSING), text.strip()):
        if candidate in scale.labels:
            return candidate
    bare = text.strip(_OPENING).rstrip(_CLOSING)
    if scale.numeric and re.fullmatch(r"-?\d+(?:\.\d+)?", bare):
        same = [label for label, value in scale.labels.items() if value == float(bare)]
        return same[0] if same else None
    folded = [label for label in scale.labels if label.casefold() == bare.casefold()]
    return folded[0] if len(folded) == 1 else None


def _goes_on(written: str, token: str, scale: Scale) -> bool:
    """Whether the token continues the label, rather than ending it."""
    if not written.strip(_OPENING):
        return True
    if _ends(written):
        return False
    if scale.numeric:
        return re.match(r"\d" if "." in written else r"[.\d]", token) is not None
    return any(label.startswith((written + token).rstrip(_CLOSING)) for label in _extensions(written, scale)) or (
        token[:1].isalnum()
    )


def _ends(text: str) -> bool:
    return bool(text) and text[-1] in " \t\r\n)]}*,;!\"'"


def _extensions(written: str, scale: Scale) -> list[str]:
    return [label for label in scale.labels if label != written and label.startswith(written)]


def _could_grow(text: str, scale: Scale, one_token: set[str | None]) -> bool:
    """A longer label starts so, and is not known to be written as one token."""
    return any(label not in one_token for label in _extensions(text, scale))


def token_at(tokens: Sequence[str], offset: int) -> int | None:
    """Which token the character at `offset` of the joined text belongs to."""
    end = 0
    for index, token in enumerate(tokens):
        end += len(token)
        if offset < end:
            return index
    return None


def from_sequences(sequences: Mapping[tuple[int, ...], tuple[str, float]], scale: Scale) -> Distribution:
    """From whole token sequences, each scored by a local model: ids → (label, log-probability of them all).

    A sequence that another one starts with gives up that one's mass: `1` followed by `0` is 10, not 1.
    """
    masses: dict[str, float] = {}
    for ids, (label, logprob) in sequences.items():
        longer = [other for other in sequences if len(other) > len(ids) and other[: len(ids)] == ids]
        nearest = [o for o in longer if not any(o != p and o[: len(p)] == p for p in longer)]
        own = _p(logprob) - math.fsum(_p(sequences[other][1]) for other in nearest)
        masses[label] = masses.get(label, 0.0) + max(own, 0.0)
    return Distribution.of(masses, scale)


def _p(logprob: float) -> float:
    return math.exp(min(float(logprob), 0.0)) if logprob == logprob else 0.0
