"""JSON, strictly: one value, no key twice, no NaN; held to a JSON Schema or to an expected value."""

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

__all__ = ["KINDS", "parse"]

_MAX_STARTS = 50
_OPENING = re.compile(r"[{\[]")
_BRACKET = re.compile(r"[{}\[\]]")
_ABSENT: Any = object()


# ── parsing ──────────────────────────────────────────────────────────────────


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs = [(unicodedata.normalize("NFC", name), value) for name, value in pairs]
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond what a number can hold")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def parse(text: str) -> Any:
    """One JSON value and nothing else; ValueError says what is wrong."""
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


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: 1 is 1.0, true is not 1, order matters in lists alone."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    return type(one) is type(other) and bool(one == other)


# ── the value in the prose ───────────────────────────────────────────────────


def _readings(answer: str, params: Params) -> Iterator[str]:
    """What stands in the first fence that holds JSON; else the first object and the first list in the prose."""
    for block in blocks(answer):
        if _parses(block.text.strip()):
            yield block.text.strip()
            return
    yield from _first_values(answer)


def _first_values(text: str) -> Iterator[str]:
    """What is broken is passed over whole: an object inside a list that never closes is not the answer."""
    found: set[str] = set()
    match = _OPENING.search(text)
    for _ in range(_MAX_STARTS):
        if match is None or len(found) == 2:
            return
        try:
            _, end = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            end = _closing(text, match.start())
        else:
            if match.group() not in found:
                found.add(match.group())
                yield text[match.start() : end]
        match = _OPENING.search(text, end)


def _closing(text: str, place: int) -> int:
    """Behind the bracket that closes the one at `place`; the end of the text where none does."""
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
