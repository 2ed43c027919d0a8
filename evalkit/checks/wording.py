"""Checks which texts an answer contains, and how it begins and ends."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import as_it_is, without_talk

__all__ = ["KINDS"]

_TYPOGRAPHIC = str.maketrans("‘’“”", "''\"\"")
_MAX_TEXT = 100_000
_SECONDS = 2.0


def _contains(answer: str, params: Params) -> Complaint:
    text = _fold(answer, params)
    absent = [wanted for wanted in params["all"] if _fold(wanted, params) not in text]
    if absent:
        return f"{_list(absent)} is not in the answer"
    if params["any"] and not any(_fold(wanted, params) in text for wanted in params["any"]):
        return f"none of {_list(params['any'])} is in the answer"
    return None


def _forbidden(answer: str, params: Params) -> Complaint:
    text = _fold(unicodedata.normalize("NFKC", answer), params)
    used = [word for word in params["words"] if _stands(_fold(unicodedata.normalize("NFKC", word), params), text)]
    return f"{_list(used)} is forbidden" if used else None


def _stands(word: str, text: str) -> bool:
    """Whether the word is in the text: Latin words only whole, Korean ones anywhere, since particles follow them."""
    left = r"(?<!\w)" if word[0].isascii() and word[0].isalnum() else ""
    right = r"(?![^\W가-힣])" if word[-1].isascii() and word[-1].isalnum() else ""
    return re.search(left + re.escape(word) + right, text) is not None


def _starts(answer: str, params: Params) -> Complaint:
    text, wanted = _fold(answer.strip(), params), _wanted(params)
    return (
        None if text.startswith(tuple(_fold(w, params) for w in wanted)) else f"it does not start with {_list(wanted)}"
    )


def _ends(answer: str, params: Params) -> Complaint:
    text, wanted = _fold(answer.strip(), params), _wanted(params)
    return None if text.endswith(tuple(_fold(w, params) for w in wanted)) else f"it does not end with {_list(wanted)}"


def _regex(answer: str, params: Params) -> Complaint:
    """Search for a pattern for at most two seconds: it may be slow on unexpected text."""
    import regex

    if len(answer) > _MAX_TEXT:
        raise ValueError(f"the answer has {len(answer)} characters, patterns are tried on up to {_MAX_TEXT}")
    flags = regex.IGNORECASE if params["ignore_case"] else 0
    search = regex.fullmatch if params["whole"] else regex.search
    text = answer.strip() if params["whole"] else answer
    return None if search(params["pattern"], text, flags, timeout=_SECONDS) else f"nothing matches {params['pattern']}"


def _fold(text: str, params: Params) -> str:
    text = text.translate(_TYPOGRAPHIC)
    return text.casefold() if params["ignore_case"] else text


def _wanted(params: Params) -> list[str]:
    return [params["text"]] if params["text"] is not None else list(params["any"])


def _list(texts: Any) -> str:
    return ", ".join(repr(text) for text in texts)


def _texts(value: Any) -> str | None:
    return None if all(isinstance(text, str) and text for text in value) else "a list of texts is wanted"


def _compiles(pattern: str) -> str | None:
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        return f"no regular expression: {error}"
    return None


def _one_of(params: Params) -> str | None:
    return None if (params["text"] is not None) != bool(params["any"]) else "either text or any is wanted"


_LIST = Param((list, tuple), (), _texts)
_IGNORE = Param((bool,), True)
_EDGE = {"text": Param((str,), None), "any": _LIST, "ignore_case": Param((bool,), False)}

KINDS = (
    Kind(
        "contains",
        "holds all of these texts, and one of those",
        _contains,
        without_talk,
        {"all": _LIST, "any": _LIST, "ignore_case": _IGNORE},
        lambda params: None if params["all"] or params["any"] else "all or any is wanted",
    ),
    Kind(
        "forbidden",
        "holds none of these words",
        _forbidden,
        as_it_is,
        {
            "words": Param((list, tuple), problem=lambda v: _texts(v) if v else "a list of texts is wanted"),
            "ignore_case": _IGNORE,
        },
    ),
    Kind("starts_with", "begins with this text, or one of these", _starts, without_talk, _EDGE, _one_of),
    Kind("ends_with", "ends with this text, or one of these", _ends, without_talk, _EDGE, _one_of),
    Kind(
        "regex",
        "a regular expression matches",
        _regex,
        without_talk,
        {
            "pattern": Param((str,), problem=_compiles),
            "whole": Param((bool,), False),
            "ignore_case": Param((bool,), False),
        },
    ),
)
