"""Checks the language of an answer by its script, which tells Korean from English and is deterministic."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.checks.fences import blocks
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import without_talk
from evalkit.checks.scripts import letters

__all__ = ["KINDS", "LANGUAGES", "prose"]

LANGUAGES: dict[str, tuple[tuple[str, ...], float]] = {
    "ko": (("Hangul",), 0.5),
    "ja": (("Kana", "Han"), 0.5),
    "zh": (("Han",), 0.5),
    "en": (("Latin",), 0.8),
    "ru": (("Cyrillic",), 0.6),
    "uk": (("Cyrillic",), 0.6),
    "bg": (("Cyrillic",), 0.6),
    "el": (("Greek",), 0.6),
    "he": (("Hebrew",), 0.6),
    "ar": (("Arabic",), 0.6),
    "fa": (("Arabic",), 0.6),
    "ur": (("Arabic",), 0.6),
    "hi": (("Devanagari",), 0.6),
    "mr": (("Devanagari",), 0.6),
    "ne": (("Devanagari",), 0.6),
    "bn": (("Bengali",), 0.6),
    "pa": (("Gurmukhi",), 0.6),
    "gu": (("Gujarati",), 0.6),
    "ta": (("Tamil",), 0.6),
    "te": (("Telugu",), 0.6),
    "kn": (("Kannada",), 0.6),
    "ml": (("Malayalam",), 0.6),
    "th": (("Thai",), 0.6),
    "ka": (("Georgian",), 0.6),
    "hy": (("Armenian",), 0.6),
}
"""For each language, its scripts and the share of letters required: for Korean only half, because of Latin names."""

_NO_PROSE = re.compile(r"`[^`\n]*`|https?://\S+|www\.\S+|[\w.+-]{1,64}@[\w.-]{1,255}", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」|『[^』\n]*』|\([^()\n]*\)")
_NAMED = re.compile(
    r"(?<![A-Za-z])(?:[A-Z][\w.+&-]{0,40} ){0,3}[A-Za-z][\w.+-]{0,40}?(?:[ ]?\([^()\n]{0,80}\))?(?=[가-힣])", re.ASCII
)


def prose(text: str) -> str:
    """The text without code, addresses and links, which are in Latin letters in every language."""
    lines = text.splitlines()
    for block in blocks(text):
        lines[block.first : block.last + 1] = [""] * (block.last + 1 - block.first)
    return _NO_PROSE.sub(" ", "\n".join(lines))


def _judge(answer: str, params: Params) -> Complaint:
    scripts, usual = LANGUAGES[params["language"]]
    counts = letters(prose(answer))
    total = sum(counts.values())
    if total < params["min_letters"]:
        return f"{total} letters are too few to tell the language"
    matching = sum(counts[script] for script in scripts)
    if params["language"] == "zh" and counts["Kana"]:
        matching = 0 if counts["Kana"] * 10 > matching else matching
    if params["language"] == "ja" and not counts["Kana"]:
        matching = 0
    wanted = usual if params["share"] is None else params["share"]
    if matching < wanted * total:
        most = ", ".join(f"{count} {script}" for script, count in counts.most_common(3))
        return f"{matching} of {total} letters are {' or '.join(scripts)}, {wanted:.0%} wanted ({most})"
    return None


def _readings(answer: str, params: Params) -> Iterator[str]:
    """The readings also without quotations and brackets, and without Latin names with a Korean particle (Python의)."""
    for text in without_talk(answer, params):
        yield text
        yield _QUOTED.sub(" ", text)
        yield _NAMED.sub(" ", text)
        yield _NAMED.sub(" ", _QUOTED.sub("", text))


def _share(value: float) -> str | None:
    return None if 0 < value <= 1 else "a share above 0, up to 1, is wanted"


KINDS = (
    Kind(
        "language",
        "written in this language, by its script",
        _judge,
        _readings,
        {
            "language": Param((str,), choices=tuple(LANGUAGES)),
            "share": Param((int, float), None, _share),
            "min_letters": Param((int,), 1),
        },
    ),
)
