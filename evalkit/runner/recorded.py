"""evalkit score: computes a run's figures from recorded answers, without a model."""

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
from evalkit.registry.kinds import task_name
from evalkit.results import Reporter
from evalkit.results.recorded import Answered as Recorded
from evalkit.results.recorded import Recording
from evalkit.runner.answering import PassResult
from evalkit.runner.clock import Clock
from evalkit.runner.finding import load_suite
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Pending
from evalkit.runner.listener import Listener
from evalkit.runner.manifest import draw_up_settings
from evalkit.runner.preparing import Variant, build_documents
from evalkit.runner.recorded_spans import located
from evalkit.runner.running_code import start_sandbox
from evalkit.runner.writing import Outcome, write
from evalkit.scoring.samples import level
from evalkit.types import Row, Samples

__all__ = ["score"]

_HOW = ("chat_template", "sampling", "seeds")


def score(
    recording: Recording,
    config: RunConfig,
    listener: Listener,
    report: Reporter,
    source: results.Run | None = None,
) -> Outcome:
    """Score recorded answers and write a run folder.

    `source`: the run that the answers come from; its chat template, sampling and seeds are copied to the manifest.
    """
    results.check_writable(config.output_path)
    run_id = results.check_name(config.name) if config.name is not None else results.new_run_id()
    clock = Clock()
    with clock("build"):
        listener.stage(f"finding {', '.join(config.tasks)}")
        suite = load_suite(config, listener)
        recording = recording.with_names(task_name)
        unwanted = [name for name in recording.tasks if name not in suite.tasks]
        if unwanted and len(unwanted) < len(recording.tasks):
            listener.note(f"answers of {', '.join(unwanted)} are not asked for")
        elif unwanted:
            raise UnknownTask(
                f"--tasks {','.join(config.tasks)}: the answers are of {', '.join(recording.tasks)}"
                f"{nearest(unwanted[0], suite.tasks)}"
            )
        listener.stage("building prompts")
        documents = build_documents(config, suite, None)
    label = config.model[0]
    manifest = draw_up_settings(config, suite, documents)
    with ExitStack() as stack:
        sandbox = start_sandbox(stack, documents, config, listener)
        grading = _Grading(documents, 1, sandbox)
        with clock("scoring"):
            listener.stage("scoring")
            for task, task_documents in documents.values():
                grading.recorded[task.name] = _recorded(recording, task, task_documents)
                for document in task_documents:
                    grading.take_recorded(task, document)
            grading.poll(wait=True)
        result = PassResult(grading, sandbox=sandbox.describe() if sandbox is not None else None)
    model = results.ModelInfo(kind=None) if source is None else source.model
    manifest = manifest.model_copy(
        update={
            **_as_asked(source),
            "model": model.model_copy(update={"typed": label}),
            "adapter": None,
            "engine": results.EngineInfo.model_validate({"name": "replay", "source": recording.label}),
            "tasks": {
                name: settings.model_copy(
                    update=_task_as_asked(source, name, documents[name][1], grading.recorded[name])
                )
                for name, settings in manifest.tasks.items()
            },
        }
    )
    for note in recording.notes:
        listener.note(note)
    listener.finish()
    variant = Variant(None, results.model_slug(label), run_id, manifest)
    return write(config, variant, suite, result, clock, report)


class _Grading(Grading):
    """Grades recorded answers. A row's prompt is the recorded one, or unknown."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorded: dict[str, dict[int, Recorded]] = {}
        self._headlines: dict[str, str] = {}
        """The metric of each task that is counted over several answers."""

    def take_recorded(self, task: Task, document: Document) -> None:
        """Grade a document with its recorded answers; without any, its answers are missing."""
        recorded = self.recorded[task.name].get(document.doc_id)
        if task.own_scorer is None or not task.own_scorer.reads_all:
            self._headlines[task.name] = task.headline.partition(",")[0]
        if recorded is None and document.error is None and (rows := task.unanswered(document)) is not None:
            self._rows[0, task.name] += rows
            return
        pending = Pending(0, task, document, [])
        if recorded is None:
            self.grade(pending, [[None] * request.repeats for request in document.requests], 0)
        else:
            self.grade(pending, [list(answers) for answers in recorded.answers], recorded.cut_tokens or 0)

    def rows(self, variant: int) -> dict[str, list[Row]]:
        return {
            task: [self._as_recorded(row, self.recorded[task].get(row.doc_id)) for row in self._listed(task, rows)]
            for task, rows in super().rows(variant).items()
        }

    def _listed(self, task: str, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with avg@1 and the like where a document has a list of one answer."""
        recorded = self.recorded[task]
        alone = {
            number
            for number, document in recorded.items()
            if document.listed and all(len(answers) == 1 for answers in document.answers)
        }
        if not alone or task not in self._headlines:
            return rows
        return level([_as_sample(row, self._headlines[task]) if row.doc_id in alone else row for row in rows], least=1)

    @staticmethod
    def _as_recorded(row: Row, recorded: Recorded | None) -> Row:
        prompt_hash = recorded.prompt_hash if recorded is not None else None
        sample = {**row.sample, "prompt_hash": prompt_hash}
        if recorded is not None and not recorded.finish_known:
            sample["finish"] = None
        if recorded is not None and recorded.cut_tokens is None:
            sample["cut_tokens"] = None
        if recorded is not None and recorded.arguments is not None:
            # The prompt that was answered; the one rebuilt here may lack its chat template and its examples.
            sample["arguments"] = recorded.arguments
        return replace(row, prompt_hash=prompt_hash, sample=sample)


def _as_sample(row: Row, metric: str) -> Row:
    """The row with its one answer as a sample, where the metric is a number of each document."""
    value = row.metrics.get(metric)
    counted = metric in row.metrics and (value is None or isinstance(value, int | float))
    if row.samples is not None or not counted or {"error", "missing"} & set(row.flags):
        return row
    return replace(row, samples=Samples(metric, (None if value is None else float(value),), (None,)))


def _as_asked(source: results.Run | None) -> dict[str, Any]:
    manifest = source.record.manifest if source else results.Manifest()
    return {key: getattr(manifest, key) for key in _HOW if manifest.states(key)}


def _task_as_asked(
    source: results.Run | None, name: str, documents: Sequence[Document], recorded: Mapping[int, Recorded]
) -> dict[str, Any]:
    """The manifest's entries on a task's prompts. The hash of all prompts is null unless every row has one."""
    rows = [recorded.get(document.doc_id) for document in documents]
    hashes = [None if row is None else row.prompt_hash for row in rows]
    given = [prompt_hash for prompt_hash in hashes if prompt_hash is not None]
    whole = hashlib.sha256("".join(given).encode()).hexdigest() if len(given) == len(hashes) else None
    task = source.record.manifest.tasks.get(name, results.TaskSettings()) if source else results.TaskSettings()
    stated = {key: getattr(task, key) for key in ("num_fewshot", "generation") if task.states(key)}
    return {"prompts_hash": whole, **stated}


def _recorded(recording: Recording, task: Task, documents: Sequence[Document]) -> dict[int, Recorded]:
    # These metrics need to know whether the scored answer is what the model would have generated greedily.
    greedy = task.output_type == "loglikelihood" or (
        task.output_type == "multiple_choice" and "exact_match" in task.metric_names
    )
    recorded = recording.of(task.name, documents, size=task.size, needs_greedy=greedy)
    return located(task, documents, recorded) if task.reading is not None else recorded


def recording_of(path: Path) -> Recording:
    """Read recorded answers from a JSONL file, a folder of lm-eval's samples, or an evalkit run folder."""
    if not (path / "manifest.json").is_file():
        return Recording.load(path)
    run = results.Run.open(path)
    names = {run.rows_path(task).stem: task for task in run.record.results.tasks}
    recording = Recording.load(path / "samples", names)
    return replace(recording, label=run.label)
