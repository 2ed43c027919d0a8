"""Checks that an answer is exactly one of the options; loosely, that its prose decides for exactly one."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.text import shorten

__all__ = ["AROUND", "KINDS"]

AROUND = " \t\r\n.,;:!?()[]{}<>\"'`*_~#。、，．！？：；（）「」『』“”‘’《》〈〉"
_LABEL = re.compile(
    r"(?:the\s)?(?:final\s|correct\s|최종\s)?(?:answer|choice|option|정답|답변|답|선택지|선택|결론)"
    r"(?:\sis\b|은|는|\s?[:：=]|(?=\s))",
    re.IGNORECASE,
)
_OTHER_LABEL = re.compile(r"(?:the\s)?[^\W\d]{2,20}(?:\s[^\W\d]{2,20}){0,2}\s?[:：]\s*", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_BREAK = re.compile(r"[,;:)\]!。，]|\.(?!\d)|\s[-–—]\s|\s(?=\(|because\b|since\b)")
_LINKING = re.compile(
    r"^(?:(?:and|or|but|also|maybe|perhaps|또는|혹은|및|그리고|아니면)\s)+|\s(?:both|too|둘 다|모두|전부|다)$",
    re.IGNORECASE,
)
_ENDINGS = ("입니다", "이다", "이에요", "예요", "이야", "야", "번")
_TAG = re.compile(r"</?[a-z]{1,10}>")
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+")
_SET_ASIDE = re.compile(
    r"(?<!\S)\S{1,30}(?:이|가) 아니라,?\s+|\bnot \S{1,30} but (?:rather )?|[,(]\s?not [^\s,.)]{1,30}\)?", re.IGNORECASE
)

_WRONG = re.compile(
    r"\b(?:wrong|incorrect|false|not|never|no|least|worst|opposite|other|less)\b|n[’']t\b|오답|틀|잘못|아닌|아니|아닙|않|없",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"\b(?:however|but|although|though|actually|wait|on second thought|on the other hand|instead|alternatively|also|"
    r"maybe|perhaps|possibly|could be|might be|or)\b|하지만|그러나|그런데|다만|그래도|사실은|혹은|또는|아니면|"
    r"[일이] 수도|도 (?:맞|가능)",
    re.IGNORECASE,
)
_NO = re.compile(r"(?:\bno|(?<!\S)아니)[,.!]?\s+", re.IGNORECASE)
_OPENING = (
    r"(?:(?:sure|certainly|of course|okay|ok|so|therefore|thus|hence|yes|no|wait|actually|however|but|in conclusion|"
    r"i (?:think|believe|would say)(?: that)?|in my opinion|based on [^,]{1,80},|물론입니다|물론이죠|네|예|알겠습니다|"
    r"저는|나는|제가|따라서|그러므로|그래서|결국|제 생각에는|아니요|아니|하지만|그러나)[,.!:]*\s+)"
)
_SUBJECT = (
    r"(?:(?:it|this|that)(?:\s(?:is|would be|must be|should be)|[’']s)|"
    r"(?:the|my|your|this|its)\s(?:[\w’'-]{1,30}\s){1,5}?"
    r"(?:is|would be|must be|should be|seems|appears)(?:\sto\sbe)?:?|"
    r"i(?:[’']d|[’']ll|\swould|\swill)?\s(?:choose|pick|select|go with|say|answer)|"
    r"(?:[^\s,.]{1,30}\s){0,5}[가-힣]{1,20}(?:은|는|이|가|[:：]))"
)
_NAMED = (
    r"(?:the\s)?(?:(?:clearly|definitely|probably|most likely)\s)?"
    r"(?:(?:option|choice|answer|letter|보기|선택지)\s)?[\"'“‘(\[]?"
)
_END = (
    r"[\"'”’)\]]?번?(?:(?:입니다|이다|이에요|예요|에요|이야|야|이며|이고|이므로|(?:으로|로)\s(?:판단|보|분류|생각))|"
    r"\s?(?=[,;:(.!?]|[-–—]\s)|\s(?=because\b|since\b|as\b|due\b|based\b|which\b)|\s*$)"
)
_RIGHT = (
    r"[\"'”’)\]]?(?:\s(?:is|would be|must be)\s(?:also\s)?(?:the\s)?(?:right|correct|better|best|most|answer)|"
    r"번?(?:이|가|도)\s(?:정답|답|맞|옳|가장|적절)|번?(?:을|를|으로|로)\s(?:선택|고르|골랐))"
)


def _choice(answer: str, params: Params) -> Complaint:
    choice, options = answer.strip(), params["options"]
    if choice not in options:
        return f"{shorten(choice)} is not exactly one of {', '.join(options)}"
    if params["equals"] is not None and choice != params["equals"]:
        return f"{choice} was chosen, {params['equals']} is right"
    return None


def _readings(answer: str, params: Params) -> Iterator[str]:
    """The option that a line consists of or that a sentence calls the answer; else the one that a line begins with."""
    by_key = {_key(option): option for option in params["options"]}
    lines = [line for line in [*answer.splitlines(), *_BOXED.findall(answer)] if line.strip()]
    stated, begun = set[str](), set[str]()
    after: list[str] = []
    for line in lines:
        of_line, first = _told(line, by_key), _begun(line, by_key)
        stated, begun = stated | of_line, begun | first
        if len(stated) > 1 or (of_line and len(of_line | first) > 1):
            return
        if stated or begun:
            after += _SENTENCE_END.split(line)
    candidates = stated or begun
    if len(candidates) != 1 or (stated and len(begun) == 1 and begun != stated):
        return
    [chosen] = candidates
    others = [_mention(option) for key, option in by_key.items() if key != chosen]
    if not any(_takes_back(sentence, others) for sentence in after):
        yield by_key[chosen]


# ── options in a line ────────────────────────────────────────────────────────


def _told(line: str, options: Collection[str]) -> set[str]:
    """The option that a line consists of, without `The answer is` or 입니다; or that its sentences call the answer."""
    plain = _plain(line)
    label = _LABEL.match(plain)
    bare = plain[label.end() :] if label else plain
    shorter = [plain, bare, *([plain[other.end() :]] if (other := _other_label(plain)) else [])]
    for text in (line, *shorter):
        if (key := _without_ending(text)) in options or (key := _key(text)) in options:
            return {key}
    named = set(_listed_first(bare, options)) if label else set()
    for text in dict.fromkeys((plain, *_SENTENCE_END.split(plain))):
        text = _SET_ASIDE.sub("", text)
        for pattern in _patterns(tuple(options)):
            match = pattern.match(text)
            if match and not _WRONG.search(match.group().replace(match.group("option"), " ", 1)):
                named.add(_key(match.group("option")))
    return named & set(options)


@functools.lru_cache(maxsize=64)
def _patterns(keys: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    options = "|".join(map(_pattern, sorted(keys, key=len, reverse=True)))
    named = rf"{_NAMED}(?P<option>{options})"
    forms = (
        rf"{_OPENING}{{0,3}}{_SUBJECT}\s?{named}{_END}",
        rf"{_OPENING}{{1,3}}{named}{_END}",
        rf"{_OPENING}{{0,3}}{named}{_RIGHT}.{{0,20}}",
    )
    return tuple(re.compile(form, re.IGNORECASE) for form in forms)


def _begun(line: str, options: Collection[str]) -> set[str]:
    """The option that a line begins with, as in `B) Paris`, and all others that it lists."""
    return set(_listed_first(_plain(line), options))


def _listed_first(text: str, options: Collection[str]) -> Iterator[str]:
    first, *rest = map(_listed, _BREAK.split(_SET_ASIDE.sub("", text).strip(AROUND)))
    if first in options:
        yield first
        yield from (other for other in rest if other in options)


def _other_label(text: str) -> re.Match[str] | None:
    """`Sentiment: positive`, but not `Wrong: positive`."""
    label = _OTHER_LABEL.match(text)
    return None if label is None or _WRONG.search(label.group()) else label


def _takes_back(sentence: str, others: Sequence[re.Pattern[str]]) -> bool:
    """Whether a sentence names another option after a contrast (`However, C may be right too`) without rejecting it."""
    if any(other.match(sentence, no.end()) for no in _NO.finditer(sentence) for other in others):
        return True
    if not _CONTRAST.search(sentence):
        return False
    return any(other.search(sentence) and not _WRONG.search(other.sub(" ", sentence)) for other in others)


# ── an option and its letters ────────────────────────────────────────────────


def _without_ending(text: str) -> str:
    for ending in _ENDINGS:
        text = text.strip(AROUND).removesuffix(ending)
    return _key(text)


def _listed(text: str) -> str:
    return _key(_LINKING.sub("", _without_ending(text)))


def _key(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip(AROUND).casefold()


def _plain(line: str) -> str:
    """The line without stars, tags, emoji, and punctuation around it."""
    line = _TAG.sub("", line)
    kept = "".join(c for c in line if c not in "*`\ufe0f\u200d" and unicodedata.category(c) not in ("So", "Sk"))
    return unicodedata.normalize("NFKC", kept).strip(AROUND)


def _pattern(key: str) -> str:
    """The pattern of an option in a sentence. A single letter must be a capital, since `a` is a word."""
    if len(key) == 1 and key.isascii() and key.isalpha():
        return rf"(?-i:{key.upper()})"
    return re.escape(key)


def _mention(option: str) -> re.Pattern[str]:
    edge = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])" if option.isascii() else "{}"
    return re.compile(edge.format(_pattern(_key(option))), re.IGNORECASE)


def _texts(value: object) -> str | None:
    good = isinstance(value, list | tuple) and value and all(isinstance(item, str) and item for item in value)
    return None if good else "a list of texts is wanted"


def _problem(params: Params) -> str | None:
    if params["equals"] is not None and params["equals"] not in params["options"]:
        return f"equals: {params['equals']!r} is none of the options {', '.join(params['options'])}"
    return None


KINDS = (
    Kind(
        "choice",
        "exactly one of the options and nothing else",
        _choice,
        _readings,
        {"options": Param((list, tuple), ("A", "B", "C"), _texts), "equals": Param((str,), None)},
        _problem,
    ),
)
