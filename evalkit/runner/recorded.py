"""Recorded answers in, figures out: task and data, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit import results
from evalkit.config import RunConfig
from evalkit.errors import UnknownTask, nearest
from evalkit.registry import Document, Task
from evalkit.results.recorded import Answered as Recorded
from evalkit.results.recorded import Recording
from evalkit.runner.answering import PassResult, start_sandbox
from evalkit.runner.clock import Clock
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Pending
from evalkit.runner.listener import Listener
from evalkit.runner.manifest import draw_up_settings
from evalkit.runner.preparing import Variant, build_documents, load_suite
from evalkit.runner.writing import Outcome, Reporter, write
from evalkit.types import Row

__all__ = ["score"]

_HOW = ("chat_template", "sampling", "seeds")


def score(
    recording: Recording,
    config: RunConfig,
    listener: Listener,
    report: Reporter,
    source: results.Run | None = None,
) -> Outcome:
    """`source` is the run whose own rows are scored: how it asked is not rebuilt, but taken from it."""
    results.check_writable(config.output_path)
    run_id = results.check_name(config.name) if config.name is not None else results.new_run_id()
    clock = Clock()
    with clock("build"):
        listener.stage(f"finding {', '.join(config.tasks)}")
        suite = load_suite(config, listener)
        strangers = [name for name in recording.tasks if name not in suite.tasks]
        if strangers and len(strangers) < len(recording.tasks):
            listener.note(f"answers of {', '.join(strangers)} are not asked for")
        elif strangers:
            raise UnknownTask(
                f"--tasks {','.join(config.tasks)}: the answers are of {', '.join(recording.tasks)}"
                f"{nearest(strangers[0], suite.tasks)}"
            )
        listener.stage("building prompts")
        documents = build_documents(config, suite, None)
    label = config.model[0]
    manifest = {
        **draw_up_settings(config, suite, documents),
        **_as_asked(source),
        "model": {"kind": None, **(source.model if source else {}), "typed": label},
        "adapter": None,
        "engine": {"name": "replay", "source": recording.label},
        "name": config.name,
    }
    with ExitStack() as stack:
        sandbox = start_sandbox(stack, documents, config, listener)
        grading = _Grading(documents, 1, sandbox)
        with clock("scoring"):
            listener.stage("scoring")
            for task, asked in documents.values():
                grading.recorded[task.name] = _recorded(recording, task, asked)
                for document in asked:
                    grading.take_recorded(task, document)
            grading.poll(wait=True)
        result = PassResult(grading, sandbox=sandbox.describe() if sandbox is not None else None)
    for name, said in manifest["tasks"].items():
        said |= _task_as_asked(source, name, documents[name][1], grading.recorded[name])
    for note in recording.notes:
        listener.note(note)
    listener.finish()
    variant = Variant(None, results.model_slug(label), run_id, manifest)
    return write(config, variant, suite, result, clock, report)


class _Grading(Grading):
    """Answers come whole, and a row's prompt is what was recorded with it, or unknown."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorded: dict[str, dict[int, Recorded]] = {}

    def take_recorded(self, task: Task, document: Document) -> None:
        found = self.recorded[task.name].get(document.doc_id)
        pending = Pending(0, task, document, [])
        if found is None:
            self.grade(pending, [[None] * request.repeats for request in document.requests], 0)
        else:
            self.grade(pending, [list(answers) for answers in found.answers], found.cut_tokens or 0)

    def rows(self, variant: int) -> dict[str, list[Row]]:
        return {
            task: [self._as_recorded(row, self.recorded[task].get(row.doc_id)) for row in rows]
            for task, rows in super().rows(variant).items()
        }

    @staticmethod
    def _as_recorded(row: Row, found: Recorded | None) -> Row:
        prompt_hash = found.prompt_hash if found is not None else None
        sample = {**row.sample, "prompt_hash": prompt_hash}
        if found is not None and not found.finish_known:
            sample["finish"] = None
        if found is not None and found.cut_tokens is None:
            sample["cut_tokens"] = None
        if found is not None and found.arguments is not None:
            # The prompt that was answered; the one rebuilt here knows neither its chat template nor its shots.
            sample["arguments"] = found.arguments
        return replace(row, prompt_hash=prompt_hash, sample=sample)


def _as_asked(source: results.Run | None) -> dict[str, Any]:
    return {key: source.manifest[key] for key in _HOW if key in source.manifest} if source else {}


def _task_as_asked(
    source: results.Run | None, name: str, documents: Sequence[Document], recorded: Mapping[int, Recorded]
) -> dict[str, Any]:
    """What is known of how a task was asked: the hash of all prompts is null unless every row has one."""
    rows = [recorded.get(document.doc_id) for document in documents]
    hashes = [None if row is None else row.prompt_hash for row in rows]
    known = [one for one in hashes if one is not None]
    whole = hashlib.sha256("".join(known).encode()).hexdigest() if len(known) == len(hashes) else None
    found: dict[str, Any] = {"prompts_hash": whole}
    said = (source.manifest.get("tasks") or {}).get(name) if source else None
    return found | {key: said[key] for key in ("num_fewshot", "generation") if said and key in said}


def _recorded(recording: Recording, task: Task, documents: Sequence[Document]) -> dict[int, Recorded]:
    # Of scored answers, these metrics ask whether the model would have said them by itself.
    greedy = task.output_type == "loglikelihood" or (
        task.output_type == "multiple_choice" and "exact_match" in task.metric_names
    )
    return recording.of(task.name, documents, size=task.size, needs_greedy=greedy)


def recording_of(path: Path) -> Recording:
    """A JSONL file, a folder of lm-eval's samples, or a run of ours."""
    if not (path / "manifest.json").is_file():
        return Recording.load(path)
    run = results.Run.open(path)
    names = {run.rows_path(task).stem: task for task in run.record.results.tasks}
    recording = Recording.load(path / "samples", names)
    return replace(recording, label=run.label)
