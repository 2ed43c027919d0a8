"""Reads files of answers and of people's labels. An error names the line that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.detectors.detector import RatedAnswer
from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.regularfile import open_regular_file, read_lines_of
from evalkit.types import JsonObject

__all__ = ["AnswerFile", "Label", "read_answers", "read_labels"]


@dataclass(frozen=True, slots=True)
class Label:
    """A person's verdict on one answer."""

    id: str
    found: bool
    place: str
    """file:line"""
    model: str | None = None
    output: str | None = None
    """The answer that was labelled, where the row holds it."""


@dataclass(frozen=True, slots=True)
class AnswerFile:
    path: Path
    answers: tuple[RatedAnswer, ...]
    models: tuple[str | None, ...]
    """Whose answer each is, where the row says it."""
    groups: tuple[str | None, ...]
    """The value of --by in each row."""


def read_answers(path: Path, by: str | None = None) -> AnswerFile:
    """Rows of `{"id", "prompt", "output"}`, or a run's own rows in samples/, where each sample is an answer."""
    answers: list[RatedAnswer] = []
    models: list[str | None] = []
    groups: list[str | None] = []
    places: dict[str, str] = {}
    for place, row in _rows(path):
        for answer in _answers(row, place):
            if answer.id in places:
                raise ConfigError(f"{place}: id {answer.id!r} stands in {places[answer.id]} already")
            places[answer.id] = place
            answers.append(answer)
            models.append(_text(row, "model", place))
            groups.append(_group(row, by, place))
    if not answers:
        raise ConfigError(f'{path} holds no answer; rows of {{"id", "prompt", "output"}} are wanted')
    return AnswerFile(path, tuple(answers), tuple(models), tuple(groups))


def read_labels(path: Path) -> tuple[Label, ...]:
    """Rows of `{"id", "label": true|false}`; a row whose label is null is not labelled yet."""
    labels: dict[str, Label] = {}
    for place, row in _rows(path):
        name = _id(row, place)
        if "label" not in row:
            raise ConfigError(f"{place}: no label{nearest('label', row)}; true or false is wanted")
        label = row["label"]
        if label is None:
            continue
        if not isinstance(label, bool):
            raise ConfigError(f"{place}: label is {label!r:.40}; true or false is wanted")
        if name in labels:
            raise ConfigError(f"{place}: id {name!r} is labelled in {labels[name].place} already")
        labels[name] = Label(name, label, place, _text(row, "model", place), _text(row, "output", place))
    return tuple(labels.values())


def _rows(path: Path) -> Iterator[tuple[str, JsonObject]]:
    try:
        with open_regular_file(path) as file:
            for number, line in enumerate(read_lines_of(file, path), 1):
                text = line.removeprefix(b"\xef\xbb\xbf").strip()
                if not text:
                    continue
                place = f"{path}:{number}"
                try:
                    row = json.loads(text)
                except (ValueError, RecursionError) as error:
                    raise ConfigError(f"{place} is not JSON: {error}") from None
                if not isinstance(row, dict):
                    raise ConfigError(f"{place} holds a {type(row).__name__}; an object is wanted")
                yield place, row
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _answers(row: JsonObject, place: str) -> Iterator[RatedAnswer]:
    if "resps" in row and "doc_id" in row:
        yield from _of_run(row, place)
        return
    if "output" not in row:
        raise ConfigError(f"{place}: no output{nearest('output', row)}; text is wanted, or null for a call that failed")
    prompt = row.get("prompt", "")
    if not isinstance(prompt, str):
        prompt = json.dumps(prompt, ensure_ascii=False)
    yield RatedAnswer(_id(row, place), prompt, _text(row, "output", place))


def _of_run(row: JsonObject, place: str) -> Iterator[RatedAnswer]:
    """The samples of a run's row: document 3 is `3`, of several samples `3#0`, `3#1` …"""
    try:
        prompt = str(row["arguments"][-1][0])
        samples = list(row["resps"][-1]) if row["resps"] else [None]
    except (LookupError, TypeError):
        raise ConfigError(f"{place}: this row of a run holds no prompt and answers as evalkit writes them") from None
    for number, text in enumerate(samples):
        if text is not None and not isinstance(text, str):
            raise ConfigError(f"{place}: the answers of this task are choices, not text")
        name = str(row["doc_id"]) if len(samples) == 1 else f"{row['doc_id']}#{number}"
        yield RatedAnswer(name, prompt, text)


def _id(row: JsonObject, place: str) -> str:
    name = row.get("id", row.get("doc_id"))
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ConfigError(f"{place}: id is {name!r:.40}; text or a whole number is wanted")
    return str(name)


def _text(row: JsonObject, key: str, place: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{place}: {key} is {value!r:.40}; text is wanted")
    return value


def _group(row: JsonObject, by: str | None, place: str) -> str | None:
    if by is None:
        return None
    doc = row.get("doc")
    holder = doc if by not in row and isinstance(doc, Mapping) else row
    if by not in holder:
        raise UsageError(f"--by {by}: {place} has no such field; it has {', '.join(holder)}{nearest(by, holder)}")
    return str(holder[by])
