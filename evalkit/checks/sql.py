"""Checks SQL by its result: runs the statement and the reference on SQLite and compares the rows."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from evalkit.checks.fences import blocks
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import block_alone, unquoted
from evalkit.checks.sqlite import Database, Refused, Result, open_database, plain_rows

__all__ = ["KINDS"]

_LINE_START = re.compile(r"^[ \t>]*(?=(?:select|with|values)\b)", re.IGNORECASE | re.MULTILINE)
_ANYWHERE = re.compile(r"\b(?=(?:select|with)[\s(])", re.IGNORECASE)
_WIDE = str.maketrans("；（），＝＊＞＜．‘’“”\u00a0\u3000", ";(),=*><.''\"\"  ")
# A statement that changes something, at the start of a line or after another statement.
_OTHER = re.compile(
    r"(?:^|;)[ \t>*`]*(?:delete\s+from|insert\s+(?:or\s+\w+\s+)?into|replace\s+into|update\s+\S+\s+set|"
    r"(?:drop|alter|truncate|create(?:\s+temp(?:orary)?)?(?:\s+unique)?)\s+(?:table|view|index|trigger|database)|"
    r"attach\s+(?:database\s+)?['\"]|pragma\s+\w|begin\s*(?:transaction\s*)?;|explain\s+(?:query\s+plan\s+)?(?:select|with)|"
    r"vacuum\s*;)",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT = re.compile(r";(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values)\b[\s(]", re.IGNORECASE | re.DOTALL)
_SQL_WORD = re.compile(
    r"(?i:\b(?:from|where|having|limit|join|union|intersect|except)\b|\b(?:order|group)\b)"
    r"|\b(?:AND|OR|BY|ON|IN|AS|DESC|ASC)\b|[=<>*]|^\s*(?:and|or)\b"
)
# A paragraph of prose; one that begins with Where or From may belong to the statement.
_TALK = re.compile(
    r"\n[ \t]*\n[ \t>*_#]*(?!(?i:from|where|and|or|order|group|having|limit|join|left|inner|cross|natural|on|union|"
    r"intersect|except|offset)\b)(?:[A-Z][a-z]+[ ,:]|[가-힣])"
)
_MAX_LINES = 60
_MAX_WORDS = 40
_MAX_STARTS = 8


def _judge(answer: str, params: Params) -> Complaint:
    statement = block_alone(answer, params).strip()
    for extra in ("", *params["more_data"]):
        with open_database([params["schema"], extra]) as database:
            wanted = _reference(database, params)
            try:
                result = database.read(statement)
            except Refused as refusal:
                return f"SQLite: {refusal}"
        if complaint := _differs(result, wanted, params):
            return f"{complaint} on other data" if extra else complaint
    return None


def _reference(database: Database, params: Params) -> Result:
    if params["query"] is not None:
        return database.read(params["query"])
    return Result(tuple(params["names"]), plain_rows(params["rows"]))


def _differs(result: Result, wanted: Result, params: Params) -> Complaint:
    width = len(wanted.rows[0]) if wanted.rows else len(wanted.columns) or len(result.columns)
    if len(result.columns) != width:
        return f"{len(result.columns)} columns, {width} wanted"
    if params["columns"] and [c.casefold() for c in result.columns] != [c.casefold() for c in wanted.columns]:
        return f"the columns are {', '.join(result.columns)}, not {', '.join(wanted.columns)}"
    if Counter(result.rows) != Counter(wanted.rows):
        return f"{_count(result)}, and not those of the reference ({_count(wanted)})"
    ordered = _has_order(params["query"]) if params["ordered"] is None else params["ordered"]
    return "the right rows in another order" if ordered and result.rows != wanted.rows else None


def _count(result: Result) -> str:
    return "1 row" if len(result.rows) == 1 else f"{len(result.rows)} rows"


def _has_order(query: str | None) -> bool:
    """Whether the query has ORDER BY outside all brackets."""
    depth, outside = 0, []
    for character in re.sub(r"'[^']*'|\"[^\"]*\"", "x", query or ""):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            outside.append(character)
    return re.search(r"\border\s+by\b", "".join(outside), re.IGNORECASE) is not None


# ── the statement in the prose ───────────────────────────────────────────────


def _readings(answer: str, params: Params) -> Iterator[str]:
    """The statement in the last fence that has one; without fences, the first statement in the prose.

    Nothing is read from several statements in a row, or from one that would change something.
    """
    pieces = [block.text for block in blocks(answer) if _ANYWHERE.search(block.text)][-1:] or [answer]
    with open_database([params["schema"]]) as database:
        for piece in pieces:
            if _OTHER.search(piece) or _NEXT.search(piece):
                continue
            if statement := _statement(unquoted(piece.strip()), database):
                yield statement


def _statement(piece: str, database: Database) -> str | None:
    """The longest text that SQLite can prepare, starting at the first place where a statement may begin."""
    places = [match.end() for match in _LINE_START.finditer(piece)]
    places += [match.start() for match in _ANYWHERE.finditer(piece)]
    for place in list(dict.fromkeys(places))[:_MAX_STARTS]:
        for text in (piece[place:], piece[place:].translate(_WIDE)):
            statement = _to_semicolon(text)
            for part in dict.fromkeys((statement, _TALK.split(statement, maxsplit=1)[0])):
                for candidate in _shortened(part):
                    if database.parses(candidate):
                        return candidate
    return None


def _shortened(text: str) -> Iterator[str]:
    """The text without its last words and lines, as long as they are prose: SQL is never cut off."""
    lines = text.splitlines()[:_MAX_LINES]
    while lines:
        line = lines.pop()
        words = line.split(" ")
        for count in range(len(words), 0, -1):
            if len(words) - count > _MAX_WORDS or (count < len(words) and _SQL_WORD.search(words[count])):
                break
            yield "\n".join([*lines, " ".join(words[:count])]).strip().rstrip("`*.。:： ")
        if _SQL_WORD.search(line):
            return


def _to_semicolon(text: str) -> str:
    """The text up to the first semicolon outside quotes."""
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ";":
            return text[:place]
    return text


# ── parameters ───────────────────────────────────────────────────────────────


def _problem(params: Params) -> str | None:
    if (params["query"] is None) == (params["rows"] is None):
        return "either query (a reference statement) or rows (what it must find) is wanted"
    if params["rows"] is not None and params["more_data"]:
        return "more_data needs a query: rows are right for one set of data"
    if params["columns"] and params["query"] is None and not params["names"]:
        return "columns: true needs names beside rows"
    for extra in ("", *params["more_data"]):
        try:
            with open_database([params["schema"], extra]) as database:
                _reference(database, params)
        except (sqlite3.Error, sqlite3.Warning, Refused) as error:
            return f"the schema or the reference query does not run on SQLite: {error}"
    return None


def _rows(value: Any) -> str | None:
    good = all(isinstance(row, list | tuple) for row in value) and len({len(row) for row in value}) <= 1
    return None if good else "a list of rows of one length is wanted"


_TEXTS = Param((list, tuple), (), lambda v: None if all(isinstance(t, str) for t in v) else "a list of texts is wanted")

KINDS = (
    Kind(
        "sql",
        "one SQL statement that finds the rows that the reference finds",
        _judge,
        _readings,
        {
            "schema": Param((str,)),
            "query": Param((str,), None),
            "rows": Param((list, tuple), None, _rows),
            "names": _TEXTS,
            "ordered": Param((bool,), None),
            "columns": Param((bool,), False),
            "more_data": _TEXTS,
            "fence": Param((bool,), False),
        },
        _problem,
    ),
)
