"""Splits text into sentences as NLTK's Punkt does, by Kiss & Strunk (2006) with its English model.

"Unsupervised Multilingual Sentence Boundary Detection", Computational Linguistics 32(4), sections 4.1 to 4.3. Published
figures depend on NLTK's implementation, so its quirks are kept: `Wow!!!` at the end of a text is two sentences. Spaces
are those of the `regex` module, as in NLTK since 3.10: U+001F is a space only for Python's `re`.
"""

from __future__ import annotations

import functools
import itertools
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import regex

__all__ = ["sentences"]

_SPLITS = r"""[)";}\]*:@'({\[‘’“”«»?!]"""
_RUNS = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_TOKEN = regex.compile(
    rf"{_RUNS}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?=\s|$|{_SPLITS}|{_RUNS}|,(?=$|\s|{_SPLITS}|{_RUNS}))|\S"
)
_CANDIDATE = regex.compile(rf"[.?!](?=(?P<after>{_SPLITS}|\s+(?P<next>\S+)))")
_CLOSING = regex.compile(r"""["')\]}‘’“”«»]+?(?:\s+|(?=--)|$)""", regex.MULTILINE)
_NUMBER = regex.compile(r"-?[.,]?\d[\d,.-]*\.?$")
_INITIAL = regex.compile(r"[^\W\d]\.$")
_ELLIPSIS = regex.compile(r"\.\.+$")

_SEEN_UPPER, _SEEN_UPPER_INSIDE, _SEEN_LOWER, _SEEN_LOWER_FIRST = 2 | 4 | 8, 4, 16 | 32 | 64, 16


@dataclass(frozen=True, slots=True)
class _Model:
    abbreviations: frozenset[str]
    collocations: frozenset[tuple[str, str]]
    starters: frozenset[str]
    seen: Mapping[str, int]
    """For each word in lower case, the ways in which it was written, as bits (see above)."""


@functools.lru_cache(maxsize=1)
def _english() -> _Model:
    from punkt import load_model

    model: Any = load_model("english")
    return _Model(
        frozenset(model.abbrev_types),
        frozenset(model.collocations),
        frozenset(model.sent_starters),
        model.ortho_context,
    )


def sentences(text: str) -> list[str]:
    """The sentences of a text, with their punctuation."""
    return [text[start:end] for start, end in _closed(text, list(_spans(text)))]


# ── where a sentence may end ─────────────────────────────────────────────────


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match, context in _candidates(text):
        if _breaks(context):
            yield start, match.end()
            start = match.start("next") if match.group("next") else match.end()
    yield start, len(text.rstrip())


def _candidates(text: str) -> Iterator[tuple[regex.Match[str], str]]:
    """Each punctuation mark with the word before and the token after it; the last one if a word has several."""
    word, waiting = (0, 0), None
    for match in _CANDIDATE.finditer(text):
        space = _last_space(text, word[1], match.start())
        before = (space + 1 if space > word[1] else word[0], match.start())
        if waiting is not None and word[1] <= before[0]:
            yield waiting, text[word[0] : word[1]] + waiting.group() + waiting.group("after")
        word, waiting = before, match
    if waiting is not None:
        yield waiting, text[word[0] : word[1]] + waiting.group() + waiting.group("after")


def _last_space(text: str, low: int, high: int) -> int:
    return max(text.rfind(space, low, high) for space in string.whitespace)


def _closed(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans with closing quotes and brackets moved to the sentence that they close."""
    moved = 0
    for (start, end), following in zip(spans, [*spans[1:], None], strict=True):
        start += moved
        if following is None:
            if text[start:end]:
                yield start, end
        elif match := _CLOSING.match(text[following[0] : following[1]]):
            yield start, following[0] + len(match.group().rstrip())
            moved = match.end()
        else:
            moved = 0
            if text[start:end]:
                yield start, end


# ── whether it does ──────────────────────────────────────────────────────────


def _breaks(context: str) -> bool:
    tokens = [token for line in context.split("\n") if line.strip() for token in _TOKEN.findall(line)]
    return any(_ends(token, after) for token, after in itertools.pairwise(tokens))


def _ends(token: str, after: str) -> bool:
    if token in (".", "?", "!"):
        ends, abbreviation = True, False
    elif _ELLIPSIS.match(token) or not token.endswith("."):
        ends, abbreviation = False, False
    else:
        bare, abbreviations = token[:-1].lower(), _english().abbreviations
        abbreviation = bare in abbreviations or bare.split("-")[-1] in abbreviations
        ends = not abbreviation and not token.endswith("..")
    return _reconsidered(token, after, ends, abbreviation) if token.endswith(".") else ends


def _reconsidered(token: str, after: str, ends: bool, abbreviation: bool) -> bool:
    """Decide by the next word after an abbreviation, an ellipsis, an initial or a number (4.1, 4.2, 4.3)."""
    model = _english()
    kind, following = _type(token), _type(after)
    kind = kind[:-1] if len(kind) > 1 and kind.endswith(".") else kind
    if len(following) > 1 and following.endswith(".") and _first_pass_ends(after):
        following = following[:-1]
    if (kind, following) in model.collocations:
        return False
    initial, begins = bool(_INITIAL.match(token)), _begins(after, following)
    starts = begins is True or (after[0].isupper() and following in model.starters)
    if starts and not initial and (abbreviation or _ELLIPSIS.match(token)):
        return True
    if initial or kind == "##number##":
        if begins is False:
            return False
        named = after[0].isupper() and not model.seen.get(following, 0) & _SEEN_LOWER
        if begins is None and initial and named:
            return False
    return ends


def _first_pass_ends(token: str) -> bool:
    bare, abbreviations = token[:-1].lower(), _english().abbreviations
    return not token.endswith("..") and bare not in abbreviations and bare.split("-")[-1] not in abbreviations


def _begins(token: str, kind: str) -> bool | None:
    """The orthographic heuristic: whether the word looks like the first of a sentence. None if it can't tell."""
    if token in (";", ":", ",", ".", "!", "?"):
        return False
    seen = _english().seen.get(kind, 0)
    if token[0].isupper() and seen & _SEEN_LOWER and not seen & _SEEN_UPPER_INSIDE:
        return True
    if token[0].islower() and (seen & _SEEN_UPPER or not seen & _SEEN_LOWER_FIRST):
        return False
    return None


def _type(token: str) -> str:
    return _NUMBER.sub("##number##", token.lower()) if _NUMBER.match(token.lower()) else token.lower()
