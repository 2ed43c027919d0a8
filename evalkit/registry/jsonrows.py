"""Reads the rows of a JSON list or of JSON lines, with line numbers. A row that cannot be read becomes a Broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["OTHER_FORMATS", "Broken", "is_one_text", "json_rows"]


class Broken(Exception):
    """Why a row cannot be used."""


def json_rows(content: bytes) -> Iterator[tuple[int, Any]]:
    """Line number and value of each row; a Broken where there is none."""
    return _items(content) if is_one_text(content) else _lines(content)


OTHER_FORMATS = {
    b"\x1f\x8b": "packed by gzip (type gunzip first)",
    b"PK\x03\x04": "packed by zip",
    b"PAR1": "Parquet",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
}


def is_one_text(content: bytes) -> bool:
    """Whether the content is one JSON text over several lines: its first line is not JSON by itself."""
    text = content.lstrip()
    if text[:1] != b"{":
        return text[:1] == b"["
    try:
        decoded = text.decode("utf-8", "surrogateescape")
        return "\n" in decoded[: json.JSONDecoder().raw_decode(decoded)[1]]
    except (ValueError, RecursionError):
        return False


def _lines(content: bytes) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            yield number, _parsed(line.strip().removesuffix(b","))


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Broken("not UTF-8")
    except json.JSONDecodeError as error:
        return Broken(f"not JSON: {error.msg} (character {error.pos + 1})")
    except ValueError as error:
        return Broken(f"not JSON: {error}")
    except RecursionError:
        return Broken("nested too deeply")


_BETWEEN = re.compile(r"[\s,]*")


def _items(content: bytes) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list with their line numbers. Reading goes on after a broken item."""
    text = content.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    listed = text.lstrip()[:1] == "["
    place, line, counted = text.index("[") + 1 if listed else 0, 1, 0
    while True:
        place = _after_blanks(text, place)
        line, counted = line + text.count("\n", counted, place), place
        if place >= len(text):
            if listed:
                yield line, Broken("the list does not end: the file is cut off")
            return
        if text[place] == "]":
            return
        try:
            item, place = decoder.raw_decode(text, place)
            yield line, item
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) and error.lineno != line else ""
            yield line, Broken(f"not JSON: {reason}{at}")
            following = _next_item(text, place)
            if following is None:
                return
            place = following


def _after_blanks(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place


def _next_item(text: str, place: int) -> int | None:
    """Where the next object begins: on a line with the same indentation, otherwise after a brace and a comma."""
    start = text.rfind("\n", 0, place) + 1
    indent = text[start:place]
    if start and not indent.strip():
        match = re.compile(r"\n" + re.escape(indent) + r"(?=\{)").search(text, place)
    else:
        match = re.compile(r"\}\s*,\s*(?=\{)").search(text, place)
    return match.end() if match else None
