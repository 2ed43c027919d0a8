"""Files of recorded answers, read line by line: whatever is wrong with a line is said with its number."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError
from evalkit.regularfile import open_regular_file, read_lines_of
from evalkit.results.recorded_spans import RecordedSpan, read_span
from evalkit.types import JsonObject

__all__ = ["RecordedRow", "find_files", "read_rows", "task_of"]

_DATED = re.compile(r"(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.+-]+)")
_ANSWER_KEYS = ("output", "outputs", "choice_logprobs", "resps")


@dataclass(frozen=True, slots=True)
class RecordedRow:
    task: str
    doc_id: int
    kind: str
    content: Any
    place: str
    filter: str | None
    doc_hash: str | None
    prompt_hash: str | None
    finish: tuple[str, ...]
    """How each answer ended, where the row says it."""
    greedy: Any
    cut_tokens: int | None
    """None: the row does not say whether the prompt was cut."""
    arguments: list[Any] | None = None
    """What was asked, as a row has it: for each request the prompt and what came with it."""
    span: RecordedSpan | None = None
    """Where the answer stands in its context, where the row says it."""


def find_files(where: Path) -> tuple[list[Path], list[str]]:
    if where.is_file():
        return [where], []
    if not where.is_dir():
        raise UsageError(f"no file or folder {where} with recorded answers")
    # A run's own rows, else lm-eval's, which stand in a folder named after the model.
    own = where / "samples"
    files = sorted(own.glob("*.jsonl")) if own.is_dir() else sorted(where.glob("samples_*.jsonl"))
    files = files or sorted(where.glob("*/samples_*.jsonl")) or sorted(where.glob("*.jsonl"))
    if not files:
        raise UsageError(f"{where} holds no samples_*.jsonl and no samples folder")
    newest: dict[tuple[Path, str], Path] = {}
    for file in files:
        newest[file.parent, task_of(file) or file.stem] = file  # dates sort as text
    kept = list(newest.values())
    older = len(files) - len(kept)
    return kept, [f"{where}: {older} older files of the same tasks were left out"] if older else []


def task_of(file: Path) -> str | None:
    """The task that a file's name says, in lm-eval's way or in ours."""
    stem = file.stem
    if stem.startswith("samples_"):
        dated = _DATED.fullmatch(stem.removeprefix("samples_"))
        return dated["task"] if dated else stem.removeprefix("samples_")
    return stem if file.parent.name == "samples" else None


def read_rows(file: Path, task: str | None) -> Iterator[RecordedRow]:
    try:
        with open_regular_file(file) as opened:
            for number, line in enumerate(read_lines_of(opened, file), 1):
                text = line.removeprefix(b"\xef\xbb\xbf").strip()
                if text:
                    yield _row(text, task, f"{file}:{number}")
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror or error}") from None


def _row(text: bytes, file_task: str | None, place: str) -> RecordedRow:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ConfigError(f"{place} holds {type(row).__name__}, not an object with task, doc_id and output")
    task = row.get("task", file_task)
    if not isinstance(task, str) or not task:
        raise ConfigError(f'{place} names no task: add "task": "<name>"')
    doc_id = row.get("doc_id")
    if not isinstance(doc_id, int) or isinstance(doc_id, bool) or doc_id < 0:
        raise ConfigError(f"{place}: doc_id is {doc_id!r}, not the number of a document")
    kinds = [key for key in _ANSWER_KEYS if key in row]
    span = read_span(row, place)
    if not kinds and span is not None and span.says_where:
        kinds, row = ["output"], {**row, "output": ""}  # the context holds the text
        span = replace(span, has_text=False)
    if len(kinds) != 1:
        present = f"both {kinds[0]} and {kinds[1]}" if kinds else f"only {', '.join(sorted(row)[:8])}"
        raise ConfigError(f"{place} needs one of output, outputs and choice_logprobs; it has {present}")
    if span is not None and kinds[0] in ("outputs", "choice_logprobs"):
        raise ConfigError(f"{place}: answer_start and no_answer_probability go with output, not with {kinds[0]}")
    content = _checked(row[kinds[0]], kinds[0], place)
    if row.get("resps_reason") == "infinite":
        content = _infinite(content)
    finish, cut = row.get("finish"), row.get("cut_tokens")
    return RecordedRow(
        task=task,
        doc_id=doc_id,
        kind=kinds[0],
        content=content,
        place=place,
        filter=_text_or_none(row, "filter", place) if kinds[0] == "resps" else None,
        doc_hash=_text_or_none(row, "doc_hash", place),
        prompt_hash=_text_or_none(row, "prompt_hash", place),
        finish=tuple(finish) if isinstance(finish, list) else (finish,) if isinstance(finish, str) else (),
        greedy=row.get("choice_greedy"),
        cut_tokens=cut if isinstance(cut, int) and not isinstance(cut, bool) else None,
        arguments=_arguments(row.get("arguments")),
        span=span,
    )


def _checked(content: Any, kind: str, place: str) -> Any:
    """The content if it has the shape of its kind; None says that there is no answer."""
    if content is None:
        return None
    good, wanted = _SHAPES[kind]
    if not good(content):
        shown = json.dumps(content, ensure_ascii=False)[:60]
        raise ConfigError(f"{place}: {kind} is {shown}, not {wanted}")
    return content


def _arguments(asked: Any) -> list[Any] | None:
    """lm-eval writes {"gen_args_0": {"arg_0": …}} where its rows in memory, and ours, hold lists."""
    if isinstance(asked, Mapping):
        asked = [list(part.values()) if isinstance(part, Mapping) else part for part in asked.values()]
    return asked if isinstance(asked, list) and asked and all(isinstance(part, list) for part in asked) else None


def _infinite(content: Any) -> Any:
    """A run's rows hold null for a log-probability of minus infinity, which JSON has not."""
    if isinstance(content, list):
        return [_infinite(item) for item in content]
    return -math.inf if content is None else content


def _list_of(content: Any, kind: Any) -> bool:
    return isinstance(content, list) and all(isinstance(x, kind) and not isinstance(x, bool) for x in content)


def _text_or_none(row: JsonObject, key: str, place: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{place}: {key} is {value!r}, not text")
    return value


_SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "output": (lambda content: isinstance(content, str), "text"),
    "outputs": (lambda content: bool(content) and _list_of(content, str), "a list of texts"),
    "choice_logprobs": (
        lambda content: (
            bool(content) and _list_of(content, int | float) and all(x <= sys.float_info.max for x in content)
        ),
        "a list of log-probabilities",
    ),
    "resps": (lambda content: _list_of(content, list), "a list of lists"),
}
