"""Compares an answer with the targets of a question: exact, contains, numeric, regex; or for a judge, by likeness."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from evalkit.checks.numerals import numbers_in
from evalkit.checks.readings import past_thought, without_talk
from evalkit.registry.reference import METRICS, compare_with_reference
from evalkit.types import RawDocument

__all__ = ["metrics_of", "scorer_of"]

_EDGES = " \t\r\n.,;:!?。！？、\"'“”‘’「」『』`*"
_REGEX_SECONDS = 1.0
_LONGEST = 100_000


def metrics_of(score: str) -> tuple[str, ...]:
    """The figures of a way of scoring, the headline first."""
    return {
        "exact": ("exact_match", "contains"),
        "contains": ("contains", "exact_match"),
        "numeric": ("numeric_match", "exact_match"),
        "regex": ("regex_match",),
        "judge": METRICS,
        "choice": ("acc",),
    }[score]


def scorer_of(score: str) -> Callable[[RawDocument, Sequence[str]], Mapping[str, float | None]] | None:
    """lm-eval's `process_results` for a way of scoring; None where lm-eval's own scoring of choices does it."""
    return {"numeric": _numeric, "regex": _regex, "judge": _reference, "choice": None}.get(score, _text)


def _text(doc: RawDocument, results: Sequence[str]) -> dict[str, float]:
    answer, targets = past_thought(results[0])[:_LONGEST], _targets(doc)
    return {
        "exact_match": float(_is_exactly(answer, targets)),
        "contains": float(any(_within(target, answer) for target in targets)),
    }


def _numeric(doc: RawDocument, results: Sequence[str]) -> dict[str, float]:
    """Whether the last number of the answer is the target."""
    answer, targets = past_thought(results[0])[:_LONGEST], _targets(doc)
    numbers = numbers_in(answer)
    right = {value for target in targets for value in (_number(target),) if value is not None}
    hit = bool(numbers) and bool({numbers[-1].value, *numbers[-1].others} & right)
    return {"numeric_match": float(hit), "exact_match": float(_is_exactly(answer, targets))}


def _regex(doc: RawDocument, results: Sequence[str]) -> dict[str, float | None]:
    """None if the expression takes too long on this answer, which is then neither right nor wrong."""
    import regex

    answer = unicodedata.normalize("NFC", past_thought(results[0])[:_LONGEST])
    try:
        hits = [regex.search(target, answer, timeout=_REGEX_SECONDS) for target in _targets(doc)]
    except TimeoutError:
        return {"regex_match": None}
    return {"regex_match": float(any(hits))}


def _reference(doc: RawDocument, results: Sequence[str]) -> dict[str, float | None]:
    """How similar the answer is to the target. A judge's score stands beside it."""
    return compare_with_reference({"output": _targets(doc)[0]}, [past_thought(results[0])])


def _targets(doc: RawDocument) -> list[str]:
    answer = doc["answer"]
    return [str(text) for text in answer] if isinstance(answer, list | tuple) else [str(answer)]


def _is_exactly(answer: str, targets: Sequence[str]) -> bool:
    """Whether the answer is a target, apart from case, punctuation at its ends, and phrases such as `The answer is`."""
    right = {_folded(target) for target in targets}
    return any(_folded(reading) in right for reading in _readings(answer))


def _readings(answer: str) -> Iterator[str]:
    yield answer
    first = next((line for line in answer.splitlines() if line.strip()), "")
    yield first
    yield from without_talk(answer, {})
    yield from without_talk(first, {})


def _within(target: str, answer: str) -> bool:
    """Whether a target occurs in the answer. Latin letters and digits must be whole words: 12 is not in 2012."""
    text, part = _folded(answer), _folded(target)
    start = text.find(part) if part else -1
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(part) : start + len(part) + 1]
        if not (_joins(before, part[0]) or _joins(part[-1], after)):
            return True
        start = text.find(part, start + 1)
    return False


def _joins(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        numbers = numbers_in(text)
        return numbers[0].value if len(numbers) == 1 else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)
