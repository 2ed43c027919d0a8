"""Pairs a run's answers with another model's answers from a file, which AlpacaEval calls reference outputs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from evalkit.errors import UsageError
from evalkit.judging.items import Item
from evalkit.registry.conversation import Conversation
from evalkit.registry.instructions import read_instructions
from evalkit.results import Run

__all__ = ["pair_with_file"]

_Key: TypeAlias = "tuple[tuple[str, str], ...]"


def pair_with_file(run: Run, items: Sequence[Item], path: Path) -> list[Item]:
    """Pair each answer with the file's answer to the same instruction. They are matched by text, not by position."""
    answers, label = _answers(path)
    keys = {(task, row["doc_id"]): _key(row["doc"]) for task in {item.task for item in items} for row in run.rows(task)}
    paired, unknown = [], 0
    for item in items:
        waiting = answers.get(keys.get((item.task, item.doc_id)) or ())
        # An instruction may occur several times in both; the file's last answer to it is used for all that follow.
        other = None if not waiting else waiting[0] if len(waiting) == 1 else waiting.popleft()
        unknown += other is None
        why = item.missing or (None if other is not None else f"{path.name} has no answer to this instruction")
        inputs = {name: text for name, text in item.inputs.items() if name != "reference"}
        paired.append(replace(item, other=other, against=label, inputs=inputs, missing=why))
    if items and unknown == len(items):
        raise UsageError(
            f"--reference {path}: it answers none of the {len(items)} instructions of {run.label}; a file of rows with"
            " instruction and output is wanted, over the same instructions as the run"
        )
    return paired


def _answers(path: Path) -> tuple[Mapping[_Key, deque[str]], str]:
    """The file's answers by instruction, and their label: the file's `generator` if it has only one, else its name."""
    if not path.is_file():
        raise UsageError(
            f"--reference {path}: no such file; a .json or .jsonl file with instruction and output is wanted"
        )
    rows = read_instructions(path)
    answers: dict[_Key, deque[str]] = defaultdict(deque)
    for row in rows:
        if (key := _key(row)) is not None:
            answers[key].append(row["output"])
    generators = {row.get("generator") for row in rows}
    return dict(answers), str(generators.pop()) if len(generators) == 1 and None not in generators else path.stem


def _key(doc: Any) -> _Key | None:
    """The turns of the instruction, stripped of white space; None if it can't be read."""
    try:
        turns = Conversation().turns(doc)
    except (KeyError, TypeError, ValueError):
        return None
    return tuple((str(turn["role"]), str(turn["content"]).strip()) for turn in turns)
