"""Files of instructions with answers: Alpaca's, KoAlpaca's, AlpacaEval's, messages with roles, ShareGPT's.

A row that cannot be used is left out and named with its line; the others go on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.registry.conversation import ROLES
from evalkit.registry.plainrows import PlainRows

__all__ = ["read_instructions"]

_SPEAKERS = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}
_KNOWN = ("instruction", "input", "output", "messages", "conversations", "generator")
_SHOWN = 3


class _Broken(Exception):
    """Why a row cannot be used."""


def read_instructions(path: Path) -> PlainRows:
    """A JSON list or one object a line, whichever it is."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    found = _items(content) if _is_one_text(content) else _lines(content)
    rows: list[dict[str, Any]] = []
    broken: list[tuple[int, str]] = []
    for number, item in found:
        try:
            rows.append(_row(item))
        except _Broken as why:
            broken.append((number, str(why)))
    if not rows:
        raise ConfigError(_nothing(path, content, broken))
    return PlainRows(rows, broken)


def _nothing(path: Path, content: bytes, broken: list[tuple[int, str]]) -> str:
    if other := next((name for start, name in _OTHER_FORMATS.items() if content.startswith(start)), None):
        return f"{path} is {other}: a JSON list or one JSON object a line is wanted, in UTF-8"
    if not broken:
        return f"{path} holds no row: objects with instruction and output are wanted, or with messages"
    shown = "; ".join(f"line {number}: {why}" for number, why in broken[:_SHOWN])
    hint = ""
    if path.suffix.lower() in (".csv", ".tsv", ".yaml", ".yml", ".txt"):
        hint = f"; a JSON list or one JSON object a line is wanted, {path.suffix} is not read"
    elif all("UTF-8" in why for _, why in broken):
        hint = f"; if it is CP949, type: iconv -f cp949 -t utf-8 {path} > FILE"
    return f"{path}: none of {len(broken)} rows can be used ({shown}){hint}"


# ── rows ─────────────────────────────────────────────────────────────────────


def _row(item: Any) -> dict[str, Any]:
    """What of a row determines prompt and reference; whatever else stands in it is left out."""
    if isinstance(item, _Broken):
        raise item
    if not isinstance(item, Mapping):
        raise _Broken(f"an object is wanted, this is {_kind(item)}")
    if "messages" in item:
        row = _conversation(_messages(item["messages"], "messages"))
    elif "conversations" in item:
        row = _conversation(_messages(item["conversations"], "conversations"))
    else:
        row = {"instruction": _said(item, "instruction"), "output": _said(item, "output")}
        given = item.get("input")
        # pandas writes an empty cell as NaN.
        if given is not None and not (isinstance(given, float) and math.isnan(given)):
            if not isinstance(given, str):
                raise _Broken(f"input is {_kind(given)}; text is wanted")
            if given.strip():
                row["input"] = given
    if isinstance(item.get("generator"), str):
        row["generator"] = item["generator"]
    _check_text(row)
    return row


def _said(item: Mapping[str, Any], name: str) -> str:
    if name not in item:
        if (around := next((key for key, value in item.items() if _holds_rows(value)), None)) is not None:
            raise _Broken(f"no row, but an object around a list of rows: type jq .{around} FILE > ROWS")
        raise _Broken(f"no `{name}`{nearest(name, [key for key in item if key not in _KNOWN], 1)}")
    value = item[name]
    if not isinstance(value, str):
        raise _Broken(f"{name} is {_kind(value)}; text is wanted")
    if not value.strip():
        raise _Broken(f"{name} is empty")
    return value


def _holds_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and bool({*value[0]} & {*_KNOWN})


def _messages(value: Any, name: str) -> list[dict[str, str]]:
    """Turns with role and content, as OpenAI has them, or with from and value, as ShareGPT has them."""
    if not isinstance(value, list) or not value:
        raise _Broken(f"{name}: a list of turns is wanted, this is {'empty' if value == [] else _kind(value)}")
    turns = []
    for number, turn in enumerate(value, 1):
        if not isinstance(turn, Mapping):
            raise _Broken(f"message {number}: an object is wanted, this is {_kind(turn)}")
        role_key, text_key = ("from", "value") if "from" in turn and "role" not in turn else ("role", "content")
        if role_key not in turn:
            raise _Broken(f"message {number}: no role")
        said = turn[role_key]
        role = said.lower() if isinstance(said, str) else said
        role = "system" if role == "developer" else _SPEAKERS.get(str(role), role)
        if role not in ROLES:
            raise _Broken(f"message {number}: {role_key} {said!r:.40} is none of {', '.join(ROLES)}")
        turns.append({"role": str(role), "content": _content(turn.get(text_key), number)})
    return turns


def _content(value: Any, number: int) -> str:
    """Text, or OpenAI's list of parts where all of them are text."""
    if isinstance(value, list):
        texts = [part.get("text") if isinstance(part, Mapping) else None for part in value]
        if not all(isinstance(text, str) for text in texts):
            raise _Broken(f"message {number}: a part of it is not text")
        value = "".join(str(text) for text in texts)
    if not isinstance(value, str):
        raise _Broken(f"message {number}: content is {_kind(value)}; text is wanted")
    return value


def _conversation(turns: list[dict[str, str]]) -> dict[str, Any]:
    """All but the last turn is the prompt; the last, the assistant's, is the reference."""
    *before, last = turns
    if last["role"] != "assistant":
        raise _Broken(f"the last message is the {last['role']}'s: an assistant's is wanted, as the reference")
    if not last["content"].strip():
        raise _Broken("the last message, the reference, is empty")
    if not before or before[-1]["role"] != "user":
        raise _Broken("no user message stands before the last one")
    if not before[-1]["content"].strip():
        raise _Broken("the last user message is empty")
    return {"messages": before, "output": last["content"]}


def _check_text(row: Mapping[str, Any]) -> None:
    """Half of a surrogate pair stands for bytes that were no UTF-8, or for a cut emoji: no model can be shown it."""
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise _Broken("not UTF-8" if 0xDC80 <= code <= 0xDCFF else "half of a surrogate pair") from None


def _kind(value: Any) -> str:
    names: dict[type, str] = {list: "a list", dict: "an object", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# ── files ────────────────────────────────────────────────────────────────────


_OTHER_FORMATS = {
    b"\x1f\x8b": "packed by gzip (type gunzip first)",
    b"PK\x03\x04": "packed by zip",
    b"PAR1": "Parquet",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
}


def _is_one_text(content: bytes) -> bool:
    """A list, or objects written over several lines: the first line says nothing by itself."""
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
        return _Broken("not UTF-8")
    except json.JSONDecodeError as error:
        return _Broken(f"not JSON: {error.msg} (character {error.pos + 1})")
    except ValueError as error:
        return _Broken(f"not JSON: {error}")
    except RecursionError:
        return _Broken("nested too deeply")


_BETWEEN = re.compile(r"[\s,]*")


def _items(content: bytes) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list, each with the line it begins on. After a broken one, on from where the next begins."""
    text = content.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    listed = text.lstrip()[:1] == "["
    place, line, counted = text.index("[") + 1 if listed else 0, 1, 0
    while True:
        place = _after_blanks(text, place)
        line, counted = line + text.count("\n", counted, place), place
        if place >= len(text):
            if listed:
                yield line, _Broken("the list does not end: the file is cut off")
            return
        if text[place] == "]":
            return
        try:
            item, place = decoder.raw_decode(text, place)
            yield line, item
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) and error.lineno != line else ""
            yield line, _Broken(f"not JSON: {said}{at}")
            following = _next_item(text, place)
            if following is None:
                return
            place = following


def _after_blanks(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place


def _next_item(text: str, place: int) -> int | None:
    """Where the next object begins: on a line indented like this one, else after a brace and a comma."""
    start = text.rfind("\n", 0, place) + 1
    indent = text[start:place]
    if start and not indent.strip():
        match = re.compile(r"\n" + re.escape(indent) + r"(?=\{)").search(text, place)
    else:
        match = re.compile(r"\}\s*,\s*(?=\{)").search(text, place)
    return match.end() if match else None
