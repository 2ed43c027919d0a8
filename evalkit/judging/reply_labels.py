"""Reads labels that are words or letters, such as `fair` or `A`: alone on a line, after a key, or in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.judging.reply_patterns import ASSIGN, KEY, LONGEST_SENTENCE, NEGATED, NUMBER
from evalkit.judging.reply_reading import Reading
from evalkit.judging.scale import Scale

__all__ = ["named_label"]

_AROUND = " \t*_`\"'[](){}<>.!:"
_WHAT = r"(?:answer|response|assistant|output|model|option|답변|응답|모델)\s+"
_IN_A_SENTENCE = (
    r"(?:{what})?(?P<n>{choice})(?:\s+(?:is|was)\s+(?:the\s+)?(?:\w+ly\s+|slightly\s+|much\s+)?(?:better|stronger|preferred|"
    r"preferable|superior|winner)|\s+wins)\b",
    r"\b(?:better|stronger|best|preferred|winner|winning)(?:\s+(?:answer|response|one|output))?\s+is\s+(?:{what})?"
    r"(?P<n>{choice})(?!\w)",
    r"\b(?:i|would|i['’]d)\s+(?:prefer|choose|pick|go with|vote for)\s+(?:{what})?(?P<n>{choice})(?!\w)",
    r"(?:{what})?(?P<n>{choice})(?:가|이|를|을)\s*(?:조금\s*|훨씬\s*|약간\s*)?(?:더|낫|우수|선호|선택)",
)


def named_label(text: str, unquoted: str, scale: Scale) -> Reading | None:
    """The label that a reply gives; None if it gives none, so that a number may be looked for.

    `unquoted`: the text without its quotations.
    """
    words = {label for label in scale if not re.fullmatch(NUMBER, label)}
    if not words:
        return None
    whole = _alone(text, 0, scale)
    if whole is not None:
        return whole
    choice = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    keyed = list(
        re.finditer(
            rf"(?:{KEY}|choice|winner|preference|pick|decision|선택|승자){ASSIGN}(?:{_WHAT})?(?P<n>{choice})(?!\w)",
            unquoted,
            re.IGNORECASE,
        )
    )
    if keyed:
        return Reading(scale.value_of(keyed[-1].group("n")), start=keyed[-1].start("n"))
    lines = [line for line in re.finditer(r"[^\n]+", unquoted) if line.group().strip()]
    alone = [_alone(line.group(), line.start(), scale) for line in ((lines[0], lines[-1]) if lines else ())]
    readings = [reading for reading in alone if reading is not None] or list(_in_sentences(unquoted, choice, scale))
    if len({reading.value for reading in readings}) > 1:
        return Reading(None, "ambiguous")
    return readings[-1] if readings else None


def _alone(line: str, start: int, scale: Scale) -> Reading | None:
    """The label, if the line holds nothing else."""
    bare = line.strip(_AROUND + "\n")
    for label in (bare, re.sub(_WHAT, "", bare, count=1, flags=re.IGNORECASE)):
        if label and scale.value_of(label) is not None:
            return Reading(scale.value_of(label), start=start + line.rindex(label))
    return None


def _in_sentences(unquoted: str, choice: str, scale: Scale) -> Iterator[Reading]:
    for pattern in _IN_A_SENTENCE:
        # `a` may be an article, so a label of one letter must have the case that the scale gives it.
        for match in re.finditer(
            r"(?<!\w)" + pattern.format(what=_WHAT, choice=f"(?-i:{choice})"), unquoted, re.IGNORECASE
        ):
            before = unquoted[max(0, match.start() - LONGEST_SENTENCE) : match.start()]
            clause = re.split(r"[.!?;\n]|\bbut\b", before)[-1]
            if not NEGATED.search(clause):
                yield Reading(scale.value_of(match.group("n")), start=match.start("n"))
