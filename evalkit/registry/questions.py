"""Reads questions with answers from a table: finds the columns and makes documents of the rows."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.checks.numerals import numbers_in
from evalkit.checks.scripts import letters
from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.registry.jsonrows import Broken
from evalkit.registry.plainrows import PlainRows
from evalkit.registry.tables import Table, read_table
from evalkit.types import RawDocument

__all__ = ["SCORES", "Columns", "Questions", "read_questions"]

SCORES = ("exact", "contains", "choice", "numeric", "regex", "judge")
_QUESTIONS = ("question", "prompt", "query", "problem", "질문", "문제", "물음", "문항", "q")
_ANSWERS = ("answer", "target", "expected", "reference", "gold", "solution", "label", "정답", "답", "답변", "대답", "a")
"""The letter last: beside a column B it is the first choice."""
_CONTEXTS = ("context", "passage", "지문", "본문", "맥락")
_CHOICES = ("choices", "options", "보기", "선택지", "선지")
_ONE_CHOICE = re.compile(r"(?:(?:choice|option|opt|보기|선택지|선지)[ _-]?)?([a-z]|\d{1,2})")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the table's columns by their use."""

    question: str
    answer: str
    context: str | None = None
    choices: tuple[str, ...] = ()
    """One column with a list, or one for each choice."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The documents of a table of questions, and how their answers are scored."""

    columns: Columns
    score: str
    rows: PlainRows
    korean: bool
    """Whether most questions are in Hangul. The prompt's words are Korean then."""


def read_questions(path: Path, input: str | None, target: str | None, score: str | None) -> Questions:
    """`input` and `target` name the columns; without them the usual names are recognised, English and Korean."""
    if score is not None and score not in SCORES:
        raise UsageError(f"--score {score}: one of {', '.join(SCORES)} is wanted{nearest(score, SCORES)}")
    table = read_table(path)
    columns = _columns(path, table, input, target)
    if score == "choice" and not columns.choices:
        raise ConfigError(
            f"{path}: --score choice needs choices: a column `choices` with lists, or columns A, B, C …"
            f"; it has {_listed(table.columns)}"
        )
    if not columns.choices or score not in (None, "choice"):
        columns = Columns(columns.question, columns.answer, columns.context)
    rows: list[RawDocument] = []
    lines: list[int] = []
    broken: list[tuple[int, str]] = []
    for line, item in table.rows:
        try:
            rows.append(_document(item, columns))
            lines.append(line)
        except Broken as why:
            broken.append((line, str(why)))
    if columns.choices:
        rows, more = _with_labels(path, rows, lines)
        broken = sorted([*broken, *more])
    score = score or ("choice" if columns.choices else "numeric" if _all_numbers(rows) else "exact")
    if score in ("numeric", "regex"):
        rows, more = _checked(rows, lines, score)
        broken = sorted([*broken, *more])
    if not rows:
        shown = "; ".join(f"line {number}: {why}" for number, why in broken[:_SHOWN])
        raise ConfigError(f"{path}: no row can be used" + (f" ({shown})" if shown else ": only column names are there"))
    return Questions(columns, score, PlainRows(rows, broken, _repeated(rows, lines, broken)), _is_korean(rows))


def _repeated(rows: Sequence[RawDocument], lines: Sequence[int], broken: Sequence[tuple[int, str]]) -> list[int]:
    """The lines whose question stands on an earlier line too."""
    left_out = {line for line, _ in broken}
    kept = [line for line in lines if line not in left_out]
    seen: set[str] = set()
    again = []
    for line, row in zip(kept, rows, strict=True):
        asked = json.dumps([row.get(key) for key in ("context", "question", "choices")], ensure_ascii=False)
        if asked in seen:
            again.append(line)
        seen.add(asked)
    return again


# ── columns ──────────────────────────────────────────────────────────────────


def _columns(path: Path, table: Table, question: str | None, answer: str | None) -> Columns:
    names = {_key(name): name for name in reversed(table.columns)}
    asked = _named(path, table.columns, names, question, "--input") if question else None
    told = _named(path, table.columns, names, answer, "--target") if answer else None
    asked = asked or next((names[name] for name in _QUESTIONS if name in names), None)
    answers = [name for name in _ANSWERS if name != "a" or "b" not in names]
    told = told or next((names[name] for name in answers if name in names and names[name] != asked), None)
    _refuse_alike(path, table.columns, {"--input": None if question else asked, "--target": None if answer else told})
    for column, usual, flag in ((asked, "question", "--input"), (told, "answer", "--target")):
        if column is None:
            hint = "; for a file of instructions type alpaca:" + str(path)
            raise UsageError(
                f"{path}: no column is called {usual}; it has {_listed(table.columns)}: type {flag} NAME"
                + ("; the first line is read as the columns' names" if path.suffix.lower() in (".csv", ".tsv") else "")
                + (hint if {"instruction", "messages", "conversations"} & set(names) else "")
            )
    assert asked is not None
    assert told is not None
    if asked == told:
        raise UsageError(f"{path}: --input and --target are both {asked!r}; it has {_listed(table.columns)}")
    context = next((names[name] for name in _CONTEXTS if name in names and names[name] not in (asked, told)), None)
    return Columns(asked, told, context, _choice_columns(names, {asked, told}))


def _named(path: Path, columns: Sequence[str], names: Mapping[str, str], asked: str, flag: str) -> str:
    if asked in columns:
        return asked
    if _key(asked) in names:
        return names[_key(asked)]
    raise UsageError(f"{flag} {asked}: {path} has no such column; it has {_listed(columns)}{nearest(asked, columns)}")


def _refuse_alike(path: Path, columns: Sequence[str], guessed: Mapping[str, str | None]) -> None:
    """Raise where a column was recognised by its name, and another has the same name but for its letters' case."""
    for flag, chosen in guessed.items():
        alike = [name for name in columns if chosen is not None and _key(name) == _key(chosen)]
        if len(alike) > 1:
            raise UsageError(f"{path}: {' and '.join(alike)} are both there: type {flag} NAME")


def _choice_columns(names: Mapping[str, str], taken: set[str]) -> tuple[str, ...]:
    """One column that holds lists, or columns A, B, C … (choice1, 보기 1 …) without a gap."""
    if listed := next((names[name] for name in _CHOICES if name in names and names[name] not in taken), None):
        return (listed,)
    by_mark: dict[str, str] = {}
    for key, name in names.items():
        if name not in taken and (match := _ONE_CHOICE.fullmatch(key)):
            by_mark.setdefault(match.group(1), name)
    for marks in (_LETTERS.lower(), [str(n) for n in range(1, 27)], [str(n) for n in range(26)]):
        run = [by_mark[mark] for mark in marks if mark in by_mark]
        if len(run) > 1 and list(marks)[: len(run)] == [mark for mark in marks if mark in by_mark]:
            return tuple(run)
    return ()


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name)[1:-1] for name in columns[:12])
    return f"{shown} and {len(columns) - 12} more" if len(columns) > 12 else shown


# ── rows ─────────────────────────────────────────────────────────────────────


def _document(item: RawDocument | Broken, columns: Columns) -> RawDocument:
    """The fields of a row that determine prompt and score. Other columns are left out."""
    if isinstance(item, Broken):
        raise item
    document: dict[str, object] = {"question": _text(item, columns.question)}
    if columns.context is not None and item.get(columns.context) not in (None, ""):
        document["context"] = _text(item, columns.context)
    document["answer"] = _answer(item, columns.answer)
    if columns.choices:
        document["choices"] = _choices(item, columns.choices)
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Broken("half of a surrogate pair stands in it") from None
    return document


def _text(item: RawDocument, column: str) -> str:
    value = _plain(item.get(column))
    if value is None or (isinstance(value, str) and not value.strip()):
        raise Broken(f"{column} is empty")
    if isinstance(value, list | dict):
        raise Broken(f"{column} is a {'list' if isinstance(value, list) else 'mapping'}; text is wanted")
    return value.strip() if isinstance(value, str) else _as_text(value)


def _answer(item: RawDocument, column: str) -> str | list[str]:
    """One text, or a list of texts of which any is right (in CSV as JSON: ["Seoul", "서울"])."""
    value = _as_list(item.get(column))
    if isinstance(value, list):
        texts = [_text({column: part}, column) for part in value]
        if not texts:
            raise Broken(f"{column} is an empty list")
        return texts
    return _text(item, column)


def _choices(item: RawDocument, columns: tuple[str, ...]) -> list[str]:
    if len(columns) == 1:
        value = _as_list(item.get(columns[0]))
        if isinstance(value, str):
            mark = next((mark for mark in ("\n", "|", ";") if mark in value), None)
            value = value.split(mark) if mark else value
        if not isinstance(value, list) or len(value) < 2:
            raise Broken(f'{columns[0]}: a list of two or more is wanted, as ["A", "B"] or A|B')
        return [_text({columns[0]: part}, columns[0]) for part in value]
    filled = [column for column in columns if _plain(item.get(column)) not in (None, "")]
    if len(filled) < 2 or filled != list(columns[: len(filled)]):
        raise Broken(f"choices: {', '.join(column for column in columns if column not in filled)} is empty")
    return [_text(item, column) for column in filled]


def _as_list(value: Any) -> Any:
    """The value, or the list that a cell holds as JSON text."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return parsed if isinstance(parsed, list) else value
    return value


def _plain(value: Any) -> Any:
    """pandas writes an empty cell as NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "g") if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


# ── answers ──────────────────────────────────────────────────────────────────


def _with_labels(
    path: Path, rows: list[RawDocument], lines: Sequence[int]
) -> tuple[list[RawDocument], list[tuple[int, str]]]:
    """Each document with `label`, the place of its right choice: the choice's text, a letter, or its number."""
    first = _first_number(path, rows)
    kept: list[RawDocument] = []
    broken = []
    for row, line in zip(rows, lines, strict=True):
        place = _place(str(row["answer"]), row["choices"], first)
        if place is None:
            shown = " / ".join(row["choices"])[:120]
            broken.append((line, f"the answer {str(row['answer'])[:60]!r} is none of the choices ({shown})"))
        else:
            kept.append({**row, "label": place})
    return kept, broken


def _first_number(path: Path, rows: Sequence[RawDocument]) -> int:
    """Whether numbered answers count from 0 or from 1."""
    numbers, last = [], []
    for row in rows:
        answer = str(row["answer"]).strip()
        if answer.isdecimal() and _among(answer, row["choices"]) is None:
            numbers.append(int(answer))
            last.append(int(answer) == len(row["choices"]))
    if not numbers or (0 in numbers and not any(last)):
        return 0
    if any(last) and 0 not in numbers:
        return 1
    raise ConfigError(
        f"{path}: the answers are numbers, and whether the first choice is 0 or 1 cannot be told; "
        "write letters (A, B …)"
    )


def _place(answer: str, choices: Sequence[str], first: int) -> int | None:
    if (place := _among(answer, choices)) is not None:
        return place
    text = answer.strip().strip("().").strip()
    if len(text) == 1 and text.upper() in _LETTERS[: len(choices)]:
        return _LETTERS.index(text.upper())
    if text.isdecimal() and 0 <= int(text) - first < len(choices):
        return int(text) - first
    return None


def _among(answer: str, choices: Sequence[str]) -> int | None:
    keys = [_key(choice) for choice in choices]
    return keys.index(_key(answer)) if keys.count(_key(answer)) == 1 else None


def _all_numbers(rows: Sequence[RawDocument]) -> bool:
    return bool(rows) and all(
        isinstance(row["answer"], str) and re.fullmatch(r"[-+]?[\d,]*\.?\d+", row["answer"]) for row in rows
    )


def _checked(
    rows: list[RawDocument], lines: Sequence[int], score: str
) -> tuple[list[RawDocument], list[tuple[int, str]]]:
    """The rows whose answer is valid for the way of scoring: a number, or a regular expression."""
    import regex

    kept, broken = [], []
    for row, line in zip(rows, lines, strict=True):
        answers = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
        if score == "numeric":
            bad = next((a for a in answers if len(numbers_in(a)) != 1), None)
            why = f"the answer {str(bad)[:60]!r} is not one number"
        else:
            bad, why = None, ""
            for text in answers:
                try:
                    regex.compile(text)
                except regex.error as error:
                    bad, why = text, f"the answer {text[:60]!r} is no regular expression ({error})"
        if bad is None:
            kept.append(row)
        else:
            broken.append((line, why))
    return kept, broken


def _is_korean(rows: Sequence[RawDocument]) -> bool:
    counts = letters(" ".join(row["question"] for row in rows[:100]))
    return bool(counts) and counts.most_common(1)[0][0] == "Hangul"
