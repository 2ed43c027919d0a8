"""Runs an encoder with a question-answering head: it marks spans, so it is asked contexts and questions, no prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.base import EngineModel, Passage, ReadAnswer
from evalkit.engines.spec import AUTO, EngineSpec, all_specs, check_device, find_spec
from evalkit.errors import UnknownModel, UsageError
from evalkit.models import catalog
from evalkit.registry import Document, Suite, Task
from evalkit.regularfile import read_regular_file
from evalkit.results import Reporter
from evalkit.runner.answering import PassResult
from evalkit.runner.clock import Clock
from evalkit.runner.engines import settings_of
from evalkit.runner.finding import load_suite
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Pending
from evalkit.runner.listener import Listener
from evalkit.runner.manifest import draw_up
from evalkit.runner.preparing import Variant, build_documents
from evalkit.runner.writing import Outcome, write
from evalkit.types import Answer, Generated, Usage

__all__ = ["PreparedReader", "marks_spans", "prepare_reader", "read"]

_HEAD = "ForQuestionAnswering"


@dataclass(frozen=True, slots=True)
class PreparedReader:
    """Everything that a reading model is asked, and what its run is called."""

    kind: EngineSpec
    suite: Suite
    model: EngineModel
    documents: Mapping[str, tuple[Task, Sequence[Document]]]
    variant: Variant


def marks_spans(typed: str) -> bool:
    """Whether a model is a folder with an encoder that has a question-answering head."""
    try:
        config = Path(catalog.resolve(typed).source) / "config.json"
        content = json.loads(read_regular_file(config)) if config.is_file() else {}
    except (UnknownModel, OSError, ValueError, RecursionError):
        return False  # a server's own name for a model; or an error that is reported when the model is found
    listed = content.get("architectures") if isinstance(content, dict) else None
    return isinstance(listed, list) and bool(listed) and str(listed[0]).endswith(_HEAD)


def prepare_reader(config: RunConfig, typed: str, run_id: str, listener: Listener) -> PreparedReader:
    """Find the tasks and the model. Every task must ask for a stretch of a context."""
    kind = _engine(config, typed)
    check_device(kind, config.device)
    if config.adapter:
        raise UsageError(f"--adapter: {typed} is a reading model; merge the adapter into it and give that folder")
    listener.stage(f"finding {', '.join(config.tasks)}")
    suite = load_suite(config, listener)
    if others := [name for name, task in suite.tasks.items() if task.reading is None]:
        raise UsageError(
            f"{typed} is a reading model: it marks the span of a context that answers a question, and"
            f" {', '.join(others[:5])} has no contexts; give it squad, korquad, squad:FILE or another reading task"
        )
    listener.stage(f"reading {typed}")
    model = kind.find_model(typed, config.model_args, config.trust_remote_code)
    documents = build_documents(config, suite, None)
    manifest = draw_up(config, suite, documents, model, None, None, kind.name)
    return PreparedReader(kind, suite, model, documents, Variant(None, results.model_slug(typed), run_id, manifest))


def read(prepared: PreparedReader, config: RunConfig, listener: Listener, report: Reporter, clock: Clock) -> Outcome:
    """Ask the model every question and write the run."""
    assert prepared.kind.start_reader is not None
    with clock("load"):
        listener.stage(f"loading {prepared.model.spec.typed} ({prepared.kind.name})")
        reader = prepared.kind.start_reader(prepared.model.spec, settings_of(config))
    grading = Grading(prepared.documents, 1, None)
    with clock("inference"):
        for task, documents in prepared.documents.values():
            listener.stage(f"reading the contexts of {task.name}")
            _answer(reader.read(_passages(task, documents)), task, documents, grading)
    listener.finish()
    usage = Usage(prompt=reader.tokens, computed=reader.tokens)
    result = PassResult(grading, usage=usage, unique=reader.tokens, engine=dict(reader.description))
    return write(config, prepared.variant, prepared.suite, result, clock, report)


def _answer(answers: Iterator[ReadAnswer], task: Task, documents: Sequence[Document], grading: Grading) -> None:
    for document in documents:
        if document.error is not None:
            grading.grade(Pending(0, task, document, []), [], 0)
            continue
        prediction = next(answers)
        answer: list[list[Answer | None]] = [[Generated(0, prediction.text, "stop", 0, located=prediction.located)]]
        grading.grade(Pending(0, task, document, []), answer, 0)


def _passages(task: Task, documents: Sequence[Document]) -> list[Passage]:
    official = task.reading.official if task.reading is not None else None
    may_have_none = official is not None and official.empty_is_equal
    return [
        Passage(str(document.doc["question"]), str(document.doc["context"]), may_have_none)
        for document in documents
        if document.error is None
    ]


def _engine(config: RunConfig, typed: str) -> EngineSpec:
    """The engine that was asked for, else the first that loads reading models."""
    asked = [find_spec(config.engine)] if config.engine != AUTO else list(all_specs().values())
    able = [spec for spec in asked if spec.start_reader is not None]
    if not able:
        names = ", ".join(name for name, spec in all_specs().items() if spec.start_reader is not None)
        raise UsageError(f"{typed} is a reading model, which --engine {config.engine} does not run: type {names}")
    if missing := able[0].missing():
        raise UsageError(f"{typed}: reading models need {', '.join(missing)}: pip install '{able[0].install}'")
    return able[0]
