"""Reads a file in SQuAD's own format (v1.1, v2.0, KorQuAD v1): questions in the file's order, each with its passage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataNotFound
from evalkit.registry.plainrows import PlainRows
from evalkit.regularfile import read_regular_file
from evalkit.types import RawDocument

__all__ = ["SquadFile", "read_squad"]


@dataclass(frozen=True, slots=True)
class SquadFile:
    rules: str
    """Of which official script: those asked for, else those that the file's version and its questions call for."""
    rows: PlainRows


def read_squad(path: Path, rules: str | None = None) -> SquadFile:
    """The questions of a file and the rules for it. What is wrong with it is an error that names the place."""
    content = _parsed(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("data"), list):
        raise ConfigError(f"{path} is not in SQuAD's format: an object with `data`, a list of articles, is wanted")
    rows = list(_rows(content["data"], str(path)))
    if not rows:
        raise ConfigError(f"{path} holds no question")
    chosen = rules or _rules(content.get("version"), rows)
    if chosen != "squad_v2" and (bare := next((row for row in rows if not row["answers"]["text"]), None)):
        raise ConfigError(
            f"{path}: question {bare['id']} has no answer, which only SQuAD v2.0 knows:"
            f" type squad:{path}?rules=squad_v2"
        )
    return SquadFile(chosen, PlainRows(rows))


def _parsed(path: Path) -> Any:
    try:
        return json.loads(read_regular_file(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except OSError as error:
        raise DataNotFound(f"{path} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not in UTF-8 (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON ({' '.join(str(error).split())[:120]})") from None


def _rules(version: Any, rows: Sequence[RawDocument]) -> str:
    spelled = str(version).lower()
    if spelled.startswith("korquad"):
        return "korquad"
    unanswerable = any(row.get("is_impossible") or not row["answers"]["text"] for row in rows)
    return "squad_v2" if unanswerable or spelled.startswith(("v2", "2")) else "squad"


def _rows(articles: list[Any], path: str) -> Iterator[RawDocument]:
    for a, article in enumerate(articles):
        where = f"{path}: data[{a}]"
        title = article.get("title", "") if isinstance(article, Mapping) else ""
        for p, paragraph in enumerate(_list(article, "paragraphs", where)):
            place = f"{where}.paragraphs[{p}]"
            context = _text(paragraph, "context", place)
            for q, question in enumerate(_list(paragraph, "qas", place)):
                yield _row(question, str(title), context, f"{place}.qas[{q}]")


def _row(question: Any, title: str, context: str, where: str) -> RawDocument:
    row: dict[str, Any] = {
        "id": str(question.get("id", "")) if isinstance(question, Mapping) else "",
        "title": title,
        "context": context,
        "question": _text(question, "question", where),
        "answers": {"text": [], "answer_start": []},
    }
    for number, answer in enumerate(_list(question, "answers", where)):
        place = f"{where}.answers[{number}]"
        start = answer.get("answer_start") if isinstance(answer, Mapping) else None
        if not isinstance(start, int) or isinstance(start, bool):
            raise ConfigError(f"{place}: answer_start is {start!r:.40}; a whole number is wanted")
        row["answers"]["text"].append(_text(answer, "text", place))
        row["answers"]["answer_start"].append(start)
    if isinstance(question.get("is_impossible"), bool):
        row["is_impossible"] = question["is_impossible"]
    return row


def _list(value: Any, key: str, where: str) -> list[Any]:
    entries = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        raise ConfigError(f"{where}: no list `{key}`")
    return entries


def _text(value: Any, key: str, where: str) -> str:
    text = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(text, str):
        raise ConfigError(f"{where}: `{key}` is missing, or no text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(f"{where}: `{key}` holds half of a surrogate pair, which no model can be shown") from None
    return text
