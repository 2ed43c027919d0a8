"""Checks strict JSON (one value, no duplicate keys, no NaN) against a JSON Schema or an expected value."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from evalkit.checks.fences import blocks
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import block_alone
from evalkit.checks.schemas import schema_problem, violation
from evalkit.types import JsonObject

__all__ = ["KINDS", "parse"]

_MAX_STARTS = 50
_OPENING = re.compile(r"[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_ABSENT: Any = object()


# ── parsing ──────────────────────────────────────────────────────────────────


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    pairs = [(unicodedata.normalize("NFC", name), value) for name, value in pairs]
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond what a number can hold")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def parse(text: str) -> Any:
    """Parse text that is one JSON value and nothing else. Raises ValueError."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# ── judging ──────────────────────────────────────────────────────────────────


def _judge(answer: str, params: Params) -> Complaint:
    try:
        value = parse(block_alone(answer, params).strip())
    except ValueError as error:
        return f"not JSON: {error}"
    if params["schema"] is not None and (complaint := violation(value, params["schema"])):
        return complaint
    if params["equals"] is not _ABSENT and not _same(value, params["equals"]):
        return "another value than the expected one"
    return None


def _same(value: Any, expected: Any) -> bool:
    """Equality in JSON: 1 equals 1.0, true does not equal 1, and order matters only in lists."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected or math.isclose(value, expected, rel_tol=1e-12)
    if isinstance(value, Mapping) and isinstance(expected, Mapping):
        return value.keys() == expected.keys() and all(_same(value[key], expected[key]) for key in value)
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(_same, value, expected))
    if isinstance(value, str) and isinstance(expected, str):
        return unicodedata.normalize("NFC", value) == unicodedata.normalize("NFC", expected)
    return type(value) is type(expected) and bool(value == expected)


# ── the value in the prose ───────────────────────────────────────────────────


def _readings(answer: str, params: Params) -> Iterator[str]:
    """The content of the first fence with valid JSON; else the first object and the first list in the prose."""
    for block in blocks(answer):
        if _parses(block.text.strip()):
            yield block.text.strip()
            return
    yield from _first_values(answer)


def _first_values(text: str) -> Iterator[str]:
    """The first object and the first list. A broken value is skipped as a whole: what is inside it is no answer."""
    brackets: set[str] = set()
    match = _OPENING.search(text)
    for _ in range(_MAX_STARTS):
        if match is None or len(brackets) == 2:
            return
        try:
            _, end = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            end = _closing(text, match.start())
        else:
            if match.group() not in brackets:
                brackets.add(match.group())
                yield text[match.start() : end]
        match = _OPENING.search(text, end)


def _closing(text: str, place: int) -> int:
    """The position after the bracket that closes the one at `place`; the end of the text if none does."""
    depth = 0
    for match in _BRACKET.finditer(text, place):
        depth += 1 if match.group() in "{[" else -1
        if depth == 0:
            return match.end()
    return len(text)


def _parses(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


# ── the kind ─────────────────────────────────────────────────────────────────

KINDS = (
    Kind(
        "json",
        "one JSON value that the schema accepts",
        _judge,
        _readings,
        {
            "schema": Param((dict, bool), None, schema_problem),
            "equals": Param((object,), _ABSENT),
            "fence": Param((bool,), False),
        },
    ),
)
