"""Recorded answers are scored without a model."""

from __future__ import annotations

import json as json_library
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evalkit import results
from evalkit.api.definitions import ScoreArguments
from evalkit.api.finishing import finish
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.config import RunConfig
from evalkit.errors import EvalkitError, UsageError, nearest

__all__ = ["score"]

_ROWS = "answers"
"""What rows without a file are called in messages, and their model where none is named."""


def score(
    answers: RunLike | Iterable[Mapping[str, Any]] | Any,
    *,
    model: str | None = None,
    tasks: str | Sequence[str] = (),
    input: str | None = None,
    target: str | None = None,
    score: str | None = None,
    num_fewshot: int | None = None,
    limit: float | str | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    allow_task_code: bool = False,
    data_dir: str | Path | None = None,
    sandbox: str = "auto",
    sandbox_packages: str | Sequence[str] = (),
    sandbox_seconds: float | None = None,
    output_path: str | Path = "results",
    name: str | None = None,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
    progress: bool = False,
) -> Run:
    """Score recorded answers without a model, and keep the result as a run.

    `answers` is a file of evalkit's JSONL, lm-eval's samples, a run, or the rows themselves as mappings or a data
    frame: `{"task": "gsm8k", "doc_id": 12, "output": "…"}`. Figures cover the documents that have an answer.
    """
    asked = from_call(ScoreArguments, locals())
    with _path_of(answers, asked.output_path) as path:
        return _score(path, asked, progress=progress)


def _score(path: Path, asked: ScoreArguments, *, progress: bool) -> Run:
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner import recorded

    recording = recorded.recording_of(path)
    source = results.Run.open(path) if (path / "manifest.json").is_file() else None
    num_fewshot, limit = asked.num_fewshot, asked.limit
    shots = {task.num_fewshot for task in source.record.results.tasks.values()} if source else set()
    if num_fewshot is None and len(shots) == 1:
        num_fewshot = shots.pop()
    if limit is None and source:
        limit = source.record.manifest.limit
    config = RunConfig.build(
        model=[asked.model or recording.label],
        tasks=asked.tasks or (source.requested if source else recording.tasks),
        engine="replay",
        input=asked.input,
        target=asked.target,
        score=asked.score,
        num_fewshot=num_fewshot,
        limit=limit,
        include_path=asked.include_path,
        allow_task_code=asked.allow_task_code,
        data_dir=asked.data_dir,
        sandbox=asked.sandbox,
        sandbox_packages=asked.sandbox_packages,
        sandbox_seconds=asked.sandbox_seconds,
        output_path=asked.output_path,
        name=asked.name,
    )
    with Progress.open(quiet=not progress) as shown:
        outcome = recorded.score(recording, config, shown, report, source)
    return finish([outcome], asked.json, asked.markdown)[0]


@contextmanager
def _path_of(answers: Any, root: Path) -> Iterator[Path]:
    """The file or folder that holds the answers; rows are written to one for the time being."""
    if isinstance(answers, Run | results.Run):
        yield answers.path
    elif isinstance(answers, str | Path):
        yield _named(answers, root)
    else:
        with TemporaryDirectory(prefix="evalkit-") as folder:
            path = Path(folder) / f"{_ROWS}.jsonl"
            path.write_text("".join(_lines(answers)), encoding="utf-8")
            try:
                yield path
            except EvalkitError as error:
                raise type(error)(str(error).replace(str(path), _ROWS)) from None


def _named(answers: str | Path, root: Path) -> Path:
    path = Path(answers).expanduser()
    if path.exists():
        return path
    if path.suffix in (".jsonl", ".json"):
        there = [file.name for file in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        raise UsageError(f"no file {answers} with recorded answers{nearest(path.name, there)}")
    return opened(str(answers), root).path


def _lines(answers: Any) -> Iterator[str]:
    rows = answers.to_dict("records") if hasattr(answers, "to_dict") else answers
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise UsageError(f"a file, a run or rows of recorded answers are wanted; this is {type(answers).__name__}")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UsageError(f"{_ROWS}:{number} is {type(row).__name__}, not a mapping with task, doc_id and output")
        try:
            yield json_library.dumps(dict(row), ensure_ascii=False, default=_plain) + "\n"
        except (TypeError, ValueError) as error:
            raise UsageError(f"{_ROWS}:{number} can't be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as Python's own, which is what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")
