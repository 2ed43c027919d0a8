"""Makes a score of the log-probabilities of a judge's tokens: Σ p·v over all labels, in all their spellings.

Liu et al. (2023), "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment", section 2, equation (1); here
normalised by the probability that the labels have together, which is stored too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.judging.scale import Scale

__all__ = ["Distribution", "from_path", "from_sequences", "from_tokens", "label_of"]

Alternatives = Sequence[tuple[str, float]]

_MOST_ALTERNATIVES = 101
"""Tokens that are read at one position: the sampled one and the 100 that a rubric can ask for."""
_AROUND = 64
"""Characters and tokens that may stand around a label, such as quotation marks and zeros behind the point."""

_OPENING = " \t\r\n*_`\"'“‘([{<:#▁Ġ"
_CLOSING = " \t\r\n*_`\"'”’)]}>.,;:!Ċ"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How likely each label is. `covered` is the probability of all labels together; the rest is other text."""

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
        # Rounding may carry the mean past an end of the scale.
        return cls(kept, min(covered, 1.0), min(max(score, scale.low), scale.high))

    @property
    def entropy(self) -> float | None:
        """In nats, of the labels among themselves."""
        if not self.masses:
            return None
        total = math.fsum(self.masses.values())
        return -math.fsum(p / total * math.log(p / total) for p in self.masses.values())


def from_tokens(top_logprobs: Mapping[str, float] | Alternatives, scale: Scale) -> Distribution:
    """From one position, as in recorded judgments: every token that reads as a label counts for it."""
    pairs = list(top_logprobs.items()) if isinstance(top_logprobs, Mapping) else list(top_logprobs)
    masses: dict[str, float] = {}
    for token, logprob in dict(pairs).items():
        label = label_of(token, scale)
        if label is not None:
            masses[label] = masses.get(label, 0.0) + _p(logprob)
    return Distribution.of(masses, scale)


def from_path(positions: Sequence[Alternatives], scale: Scale, start: int = 0) -> Distribution:
    """From the token where the label starts, along the tokens that were sampled.

    What follows is known for sampled tokens only: `1` may go on to `10`, `8` to `8.5`. Another token that could still
    become a longer label counts for no label, and so is missing in `covered`.
    """
    steps = _steps(positions[start:], scale)
    masses: dict[str, float] = {}
    one_token = {label_of(text, scale) for text, _ in positions[start][:_MOST_ALTERNATIVES]}
    for step in reversed(steps):
        _settle_step(step, scale, one_token, masses)
    return Distribution.of(masses, scale)


@dataclass(frozen=True, slots=True)
class _Step:
    """One token of the label on the sampled path: the text before it, and the tokens that may come here."""

    written: str
    before: float
    """The probability of the text before."""
    alternatives: Mapping[str, float]
    """Token → log-probability. The token that was sampled comes first; empty after the last one."""
    goes_on: bool
    """Whether the label may go on after the token that was sampled, so that the next step decides."""


def _steps(positions: Sequence[Alternatives], scale: Scale) -> list[_Step]:
    """The tokens until the label has ended, or cannot be one of the scale's any more."""
    longest = max(map(len, scale.labels)) + _AROUND
    steps: list[_Step] = []
    written, before = "", 1.0
    for position in positions:
        if len(steps) >= longest or len(written) > longest:
            return steps
        if not position:
            break
        alternatives = dict(position[:_MOST_ALTERNATIVES])
        chosen = position[0][0]
        goes_on = not written or _goes_on(written, chosen, scale)
        steps.append(_Step(written, before, alternatives, goes_on))
        if not goes_on:
            return steps
        written = written + chosen if written else chosen.lstrip(_OPENING)
        before *= _p(alternatives[chosen])
    steps.append(_Step(written, before, {}, False))
    return steps


def _settle_step(step: _Step, scale: Scale, one_token: set[str | None], masses: dict[str, float]) -> None:
    """Give the probability of each token that ends a label here to that label."""
    if not step.alternatives:
        _settle(step.written, step.before, scale, masses)
        return
    seen = 0.0
    for number, (token, logprob) in enumerate(step.alternatives.items()):
        mass = step.before * _p(logprob)
        seen += mass
        if number == 0 and step.goes_on:
            continue
        text = step.written + token if step.written else token.lstrip(_OPENING)
        if step.written and not _goes_on(step.written, token, scale):
            _settle(step.written, mass, scale, masses)
        elif _ends(text) or not _could_grow(text, scale, one_token):
            _settle(text, mass, scale, masses)
    rest = step.before - seen
    if step.written and rest > 0 and not _extensions(step.written, scale):
        # Tokens too unlikely to be listed: none of them can make this label another one but a digit.
        _settle(step.written, rest, scale, masses)


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
    """Whether a longer label starts with this text and may need more than one token."""
    return any(label not in one_token for label in _extensions(text, scale))


def from_sequences(sequences: Mapping[tuple[int, ...], tuple[str, float]], scale: Scale) -> Distribution:
    """From token sequences that a local model scored: ids → (label, log-probability of the whole sequence).

    The probability of a longer sequence is taken off the shorter one that it starts with: `1` then `0` is 10, not 1.
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
