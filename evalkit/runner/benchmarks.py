"""The documents of benchmarks as texts: the question without examples, and the right answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.registry import Document, Registry
from evalkit.runner.listener import Listener
from evalkit.types import Prompt

__all__ = ["BenchmarkDocument", "benchmark_documents"]


@dataclass(frozen=True, slots=True)
class BenchmarkDocument:
    task: str
    requested: str
    """The name that was typed: mmlu, not one of its subjects."""
    doc_id: int
    doc_hash: str
    question: str
    answer: str
    """Empty where it is not known as a text."""


def benchmark_documents(
    tasks: Sequence[str], data_dir: Path | None, include_path: Sequence[str], listener: Listener
) -> list[BenchmarkDocument]:
    """All documents of the tasks, in order. Prompts have no examples in them."""
    listener.stage(f"reading {', '.join(tasks)}")
    suite = Registry(include_path, data_dir=data_dir).load(tasks, num_fewshot=0)
    for note in suite.notes:
        listener.note(note)
    requested = {leaf: name for name in reversed(suite.requested) for leaf in suite.leaves(name)}
    return [
        BenchmarkDocument(name, requested[name], document.doc_id, document.doc_hash, question, _answer(document))
        for name, task in suite.tasks.items()
        for document in task.build()
        for question in _questions(document)
    ]


def _questions(document: Document) -> Iterator[str]:
    """The first context. Where each choice has a context of its own, as in Winogrande, they hardly differ."""
    for request in document.requests[:1]:
        yield _text(request.context)


def _answer(document: Document) -> str:
    target: Any = document.target
    if isinstance(target, bool):
        return ""
    if isinstance(target, int):
        requests = document.requests
        return requests[target].continuation.strip() if 0 <= target < len(requests) else ""
    if isinstance(target, list | tuple):
        target = target[0] if target else ""
    return target.strip() if isinstance(target, str) else ""


def _text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(message.content for message in prompt)
