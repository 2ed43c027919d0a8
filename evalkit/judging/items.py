"""The items to judge: a run's answers with their instructions and other inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.errors import UsageError, nearest
from evalkit.judging.rubric import Rubric
from evalkit.results import Run
from evalkit.types import JsonObject, RawDocument

__all__ = ["Item", "items_of", "pair_up", "parse_fields"]

_USUAL: Mapping[str, tuple[str, ...]] = {
    "instruction": ("instruction", "prompt", "question", "query", "input"),
    "reference": ("reference", "reference_answer", "gold", "output", "summary", "highlights"),
    "context": ("context", "document", "article", "passage", "source", "facts", "input"),
    "conversation": ("conversation", "messages", "dialogue", "dialog", "history", "turns"),
}


@dataclass(frozen=True, slots=True)
class Item:
    item: str
    group: str
    """The document. Answers of several systems to one document belong together."""
    system: str
    inputs: Mapping[str, str]
    task: str
    doc_id: int
    doc_hash: str
    prompt_hash: str | None
    missing: str | None = None
    """Why there is no answer to judge."""
    other: str | None = None
    """The other answer of a comparison."""
    against: str | None = None
    failed_check: bool = False
    """Whether a verifiable check of this answer failed, which caps a judge's score."""

    @property
    def answer(self) -> str:
        return self.inputs.get("answer", "")


def parse_fields(texts: Sequence[str]) -> dict[str, str]:
    """Parse `--input reference=answer_key`: the field of the documents that an input is taken from."""
    fields = {}
    for text in texts:
        name, equals, field = text.partition("=")
        if not equals or name not in _USUAL or not field:
            names = ", ".join(_USUAL)
            raise UsageError(f"--input {text}: NAME=FIELD is wanted, NAME one of {names}{nearest(name, _USUAL)}")
        fields[name] = field
    return fields


def items_of(
    run: Run, rubric: Rubric, tasks: Sequence[str] = (), fields: Mapping[str, str] | None = None
) -> list[Item]:
    """The generated answers of a run, one per document, in document order."""
    generating = [name for name in run.record.results.tasks if run.has_rows(name)]
    known_tasks = run.record.results.tasks
    for name in tasks:
        if name not in known_tasks:
            raise UsageError(f"--tasks {name}: {run.label} has no such task{nearest(name, known_tasks)}")
    items: list[Item] = []
    for task in tasks or generating:
        items += _of_task(run, task, rubric, fields or {})
    if not items:
        raise UsageError(
            f"{run.path} has no generated answer to judge: multiple-choice tasks have none; run a task that generates"
        )
    return items


def _of_task(run: Run, task: str, rubric: Rubric, fields: Mapping[str, str]) -> Iterator[Item]:
    seen: set[int] = set()
    for row in run.rows(task):
        doc_id = int(row.get("doc_id", -1))
        if doc_id in seen:  # the same answer under another filter
            continue
        seen.add(doc_id)
        answer = _answer(row)
        if answer is None and not _asks_for_text(row):
            return
        doc = row["doc"] if isinstance(row.get("doc"), Mapping) else {}
        inputs = {name: text for name in rubric.inputs if (text := _input(name, row, doc, fields)) is not None}
        material = _text(doc.get("input")) if doc.get("instruction") and "instruction" not in fields else None
        if material is not None and "instruction" in inputs and "context" not in inputs:
            # In instruction data the input belongs to what is asked; a rubric without `context` would hide it.
            inputs["instruction"] += f"\n\n{material}"
        if answer is not None:
            inputs["answer"] = answer
        lacking = [name for name, required in rubric.inputs.items() if required and name not in inputs]
        missing = None
        if "answer" in lacking:
            missing = str(row.get("error") or "no answer")
        elif lacking:
            raise UsageError(
                f"rubric {rubric.id} needs {lacking[0]}, and the documents of {task} have no field named so;"
                f" say which with --input {lacking[0]}=FIELD (they have {', '.join(map(str, doc)) or 'none'})"
            )
        group = f"{task}/{doc_id}"
        yield Item(
            item=f"{group}|{run.label}",
            group=group,
            system=run.label,
            inputs=inputs,
            task=task,
            doc_id=doc_id,
            doc_hash=str(row.get("doc_hash", "")),
            prompt_hash=row.get("prompt_hash"),
            missing=missing,
            against=generator if isinstance(generator := doc.get("generator"), str) else None,
            failed_check=row.get("checks_strict") == 0,
        )


def _answer(row: JsonObject) -> str | None:
    """The first sample of the first request, if it is text; of a conversation, the last answer."""
    responses = row.get("resps")
    if isinstance(responses, list) and responses and isinstance(row.get("conversation"), list):
        responses = responses[-1]
    while isinstance(responses, list) and responses:
        responses = responses[0]
    return responses if isinstance(responses, str) else None


def _asks_for_text(row: JsonObject) -> bool:
    """Whether the row is of a request to generate: its second argument holds the settings."""
    arguments = row.get("arguments")
    if isinstance(arguments, Mapping):
        first = next(iter(arguments.values()), None)
        return isinstance(first, Mapping) and isinstance(first.get("arg_1"), Mapping)
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list) and len(arguments[0]) > 1:
        return isinstance(arguments[0][1], Mapping)
    return False


def _input(name: str, row: JsonObject, doc: RawDocument, fields: Mapping[str, str]) -> str | None:
    if name == "answer":
        return None
    if name in fields:
        value: Any = doc
        for part in fields[name].split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return _text(value)
    if name == "conversation" and isinstance(row.get("conversation"), list):
        return _text(row["conversation"])
    text_of_field = next((text for key in _USUAL[name] if (text := _text(doc.get(key))) is not None), None)
    if text_of_field is None and name == "instruction":
        return _last_turn(doc.get("messages")) or _prompt(row)
    if text_of_field is None and name == "reference":
        target = row.get("target")
        return target if isinstance(target, str) and target.strip() else None
    return text_of_field


def _prompt(row: JsonObject) -> str | None:
    arguments = row.get("arguments")
    if isinstance(arguments, Mapping):
        first = next(iter(arguments.values()), None)
        return _text(first.get("arg_0")) if isinstance(first, Mapping) else None
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], list) and arguments[0]:
        return _text(arguments[0][0])
    return None


def _last_turn(messages: Any) -> str | None:
    """The last user message, if the document is a conversation."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    return _text(last.get("content")) if isinstance(last, Mapping) and last.get("role") == "user" else None


def _text(value: Any) -> str | None:
    """The text; a list of turns is joined to a conversation."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, list) and value:
        if all(isinstance(turn, Mapping) and "content" in turn for turn in value):
            return "\n".join(f"{turn.get('role', 'speaker')}: {turn['content']}" for turn in value)
        if all(isinstance(turn, str) for turn in value):
            return "\n".join(value)
    return None


def pair_up(items: Sequence[Item], others: Sequence[Item] | None) -> list[Item]:
    """Pair each answer with that of another run, or with the reference."""
    if others is None:
        if not any("reference" in item.inputs for item in items):
            raise UsageError(
                "nothing to compare with: give --against RUN, --reference FILE, or --input reference=FIELD"
            )
        return [
            replace(
                item,
                other=item.inputs.get("reference"),
                against=item.against or "reference",
                inputs={name: text for name, text in item.inputs.items() if name != "reference"},
                missing=item.missing or (None if "reference" in item.inputs else "no reference"),
            )
            for item in items
        ]
    by_document = {(other.task, other.doc_hash or other.doc_id): other for other in others}
    paired = []
    for item in items:
        other = by_document.get((item.task, item.doc_hash or item.doc_id))
        reason = None if other else "the other run does not have this document"
        if other is not None and other.missing:
            reason = f"the other run: {other.missing}"
        paired.append(
            replace(
                item,
                other=None if other is None else other.inputs.get("answer"),
                against=others[0].system,
                missing=item.missing or reason,
            )
        )
    return paired
