"""Reads files of instructions with answers: Alpaca, KoAlpaca, AlpacaEval, messages with roles, ShareGPT.

A row that cannot be used is left out and reported with its line number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.registry.conversation import ROLES
from evalkit.registry.jsonrows import OTHER_FORMATS, Broken, json_rows
from evalkit.registry.plainrows import PlainRows
from evalkit.regularfile import read_regular_file
from evalkit.types import RawDocument

__all__ = ["read_instructions"]

_SPEAKERS = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}
_KNOWN = ("instruction", "input", "output", "messages", "conversations", "generator")
_SHOWN = 3


def read_instructions(path: Path) -> PlainRows:
    """Read a JSON list, or one JSON object on each line."""
    try:
        content = read_regular_file(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error})") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    items = json_rows(content)
    rows: list[RawDocument] = []
    broken: list[tuple[int, str]] = []
    for number, item in items:
        try:
            rows.append(_row(item))
        except Broken as why:
            broken.append((number, str(why)))
    if not rows:
        raise ConfigError(_nothing(path, content, broken))
    return PlainRows(rows, broken)


def _nothing(path: Path, content: bytes, broken: list[tuple[int, str]]) -> str:
    if other := next((name for start, name in OTHER_FORMATS.items() if content.startswith(start)), None):
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


def _row(item: Any) -> RawDocument:
    """The fields of a row that determine prompt and reference. Other fields are left out."""
    if isinstance(item, Broken):
        raise item
    if not isinstance(item, Mapping):
        raise Broken(f"an object is wanted, this is {_kind(item)}")
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
                raise Broken(f"input is {_kind(given)}; text is wanted")
            if given.strip():
                row = {**row, "input": given}
    if isinstance(item.get("generator"), str):
        row = {**row, "generator": item["generator"]}
    _check_text(row)
    return row


def _said(item: RawDocument, name: str) -> str:
    if name not in item:
        if (around := next((key for key, value in item.items() if _holds_rows(value)), None)) is not None:
            raise Broken(f"no row, but an object around a list of rows: type jq .{around} FILE > ROWS")
        raise Broken(f"no `{name}`{nearest(name, [key for key in item if key not in _KNOWN], 1)}")
    value = item[name]
    if not isinstance(value, str):
        raise Broken(f"{name} is {_kind(value)}; text is wanted")
    if not value.strip():
        raise Broken(f"{name} is empty")
    return value


def _holds_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and bool({*value[0]} & {*_KNOWN})


def _messages(value: Any, name: str) -> list[dict[str, str]]:
    """Turns with role and content, as OpenAI has them, or with from and value, as ShareGPT has them."""
    if not isinstance(value, list) or not value:
        raise Broken(f"{name}: a list of turns is wanted, this is {'empty' if value == [] else _kind(value)}")
    turns = []
    for number, turn in enumerate(value, 1):
        if not isinstance(turn, Mapping):
            raise Broken(f"message {number}: an object is wanted, this is {_kind(turn)}")
        role_key, text_key = ("from", "value") if "from" in turn and "role" not in turn else ("role", "content")
        if role_key not in turn:
            raise Broken(f"message {number}: no role")
        speaker = turn[role_key]
        role = speaker.lower() if isinstance(speaker, str) else speaker
        role = "system" if role == "developer" else _SPEAKERS.get(str(role), role)
        if role not in ROLES:
            raise Broken(f"message {number}: {role_key} {speaker!r:.40} is none of {', '.join(ROLES)}")
        turns.append({"role": str(role), "content": _content(turn.get(text_key), number)})
    return turns


def _content(value: Any, number: int) -> str:
    """Text, or OpenAI's list of parts where all of them are text."""
    if isinstance(value, list):
        texts = [part.get("text") if isinstance(part, Mapping) else None for part in value]
        if not all(isinstance(text, str) for text in texts):
            raise Broken(f"message {number}: a part of it is not text")
        value = "".join(str(text) for text in texts)
    if not isinstance(value, str):
        raise Broken(f"message {number}: content is {_kind(value)}; text is wanted")
    return value


def _conversation(turns: list[dict[str, str]]) -> RawDocument:
    """All but the last turn is the prompt; the last, the assistant's, is the reference."""
    *before, last = turns
    if last["role"] != "assistant":
        raise Broken(f"the last message is the {last['role']}'s: an assistant's is wanted, as the reference")
    if not last["content"].strip():
        raise Broken("the last message, the reference, is empty")
    if not before or before[-1]["role"] != "user":
        raise Broken("no user message stands before the last one")
    if not before[-1]["content"].strip():
        raise Broken("the last user message is empty")
    return {"messages": before, "output": last["content"]}


def _check_text(row: RawDocument) -> None:
    """Refuse a lone surrogate: half an emoji, or bytes that are not UTF-8. A prompt cannot contain it."""
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise Broken("not UTF-8" if 0xDC80 <= code <= 0xDCFF else "half of a surrogate pair") from None


def _kind(value: Any) -> str:
    names: dict[type, str] = {list: "a list", dict: "an object", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
