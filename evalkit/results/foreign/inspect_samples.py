"""The samples of a log: what was asked, what was answered, and how it was scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import RunFolderError
from evalkit.results.foreign.inspect_log import Log
from evalkit.results.foreign.reading import mapping
from evalkit.types import JsonObject

__all__ = ["Sample", "answer", "asked_hash", "given", "id_hash", "question", "read_samples", "stable_hash"]

_CUT = ("max_tokens", "model_length")


@dataclass(slots=True)
class Sample:
    """One document over its epochs."""

    id: str
    doc_hash: str
    prompt_hash: str | None = None
    """None: nothing of it was logged."""
    scores: dict[str, list[Any]] = field(default_factory=dict)
    """By scorer, one value for each epoch that has one."""
    metadata: JsonObject = field(default_factory=dict)
    epochs: set[int] = field(default_factory=set)
    failed: bool = False
    unfinished: bool = False


def read_samples(log: Log, kept_metadata: set[str]) -> dict[str, Sample]:
    """By id, in the order of the data set. An id that was planned and not logged has no epochs."""
    planned = mapping(log.spec.get("dataset"), f"{log.path}: dataset").get("sample_ids")
    samples = {str(id): Sample(str(id), id_hash(id)) for id in planned or ()}
    for place, content in log.samples():
        where = f"{log.path}: {place[:80]}"
        id, epoch = content.get("id"), content.get("epoch", 1)
        if not isinstance(id, str | int) or not isinstance(epoch, int):
            raise RunFolderError(f"{where}: a sample's id is {id!r} and its epoch {epoch!r}")
        sample = samples.setdefault(str(id), Sample(str(id), id_hash(id)))
        if epoch in sample.epochs:
            raise RunFolderError(f"{where}: epoch {epoch} of sample {id} stands twice")
        asked = asked_hash(content)
        if sample.prompt_hash not in (None, asked):
            raise RunFolderError(f"{where}: sample {id} was another one in an earlier epoch: ids must be unique")
        sample.prompt_hash = asked
        sample.epochs.add(epoch)
        scores = mapping(content.get("scores"), f"{where}: scores")
        for scorer, score in scores.items():
            sample.scores.setdefault(scorer, []).append(mapping(score, f"{where}: scores.{scorer}").get("value"))
        metadata = content.get("metadata")
        if kept_metadata and isinstance(metadata, dict):
            sample.metadata = {key: metadata[key] for key in kept_metadata if key in metadata}
        sample.failed |= bool(content.get("error"))
        sample.unfinished |= bool(content.get("limit")) or _stop_reason(content) in _CUT
    return samples


# ── what pairs ───────────────────────────────────────────────────────────────


def id_hash(id: str | int) -> str:
    """A document is known by its id: all that is known of one that was planned and not run."""
    return stable_hash(["sample", str(id)])


def asked_hash(content: JsonObject) -> str:
    """What the sample asks and what it wants for an answer. Messages carry ids that change with every run."""
    asked = given(content)
    if isinstance(asked, list):
        asked = [[m["role"], m["content"]] if isinstance(m, dict) else m for m in asked]
    return stable_hash([asked, content.get("choices"), content.get("target")])


def stable_hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# ── words ────────────────────────────────────────────────────────────────────


def given(content: JsonObject) -> str | list[Any]:
    """The input, with pieces that are kept apart put in: a text, or messages with role and content."""
    asked = content.get("input")
    if not isinstance(asked, list):
        return _text(asked, content)
    return [
        {"role": m.get("role"), "content": _text(m.get("content"), content)} if isinstance(m, dict) else m
        for m in asked
    ]


def question(content: JsonObject) -> str:
    """The messages that the first answer came upon; without any, the input."""
    messages = content.get("messages") or content.get("input")
    if not isinstance(messages, list):
        return _text(messages, content)
    before: list[tuple[str, str]] = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") == "assistant":
            break
        before.append((str(message.get("role")), _text(message.get("content"), content)))
    return before[0][1] if len(before) == 1 else "\n\n".join(f"{role}: {text}" for role, text in before)


def answer(content: JsonObject) -> str:
    output = content.get("output")
    output = output if isinstance(output, dict) else {}
    if isinstance(output.get("completion"), str):
        return _text(output["completion"], content)
    choices = output.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = first.get("message")
    return _text(message.get("content"), content) if isinstance(message, dict) else ""


def _stop_reason(content: JsonObject) -> Any:
    output = content.get("output")
    choices = output.get("choices") if isinstance(output, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("stop_reason") if isinstance(first, dict) else None


def _text(value: Any, content: JsonObject) -> str:
    """A message's text; longer pieces may be kept apart as attachments."""
    if isinstance(value, list):
        parts = (part.get("text", f"[{part.get('type')}]") for part in value if isinstance(part, dict))
        return "\n".join(_text(part, content) for part in parts)
    if not isinstance(value, str):
        return "" if value is None else str(value)
    name = value.removeprefix("attachment://")
    attachments = content.get("attachments")
    if name != value and isinstance(attachments, dict) and isinstance(attachments.get(name), str):
        return str(attachments[name])
    return value
