"""`--tasks preferences:FILE`: pairs of a chosen and a rejected answer; does the model find the chosen one likelier?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, nearest
from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import PlainRows, dataset_of, read_jsonl
from evalkit.types import RawDocument, TaskConfig

__all__ = ["KIND", "read_preferences"]

_PROMPTS = ("prompt", "instruction", "question", "input")
_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"


def read_preferences(path: Path) -> PlainRows:
    """Rows of prompt, chosen and rejected.

    DPO's form has `prompt`, `chosen` and `rejected` as text or as messages. RLHF's form (Bai et al. 2022) has two whole
    conversations, `chosen` and `rejected`, which are equal up to the last answer.
    """
    documents = [_document(row, f"{path}: row {number}") for number, row in enumerate(read_jsonl(path), 1)]
    if not documents:
        raise ConfigError(f'{path} holds no row; rows of {{"prompt": …, "chosen": …, "rejected": …}} are wanted')
    return PlainRows(documents)


def _document(row: RawDocument, where: str) -> RawDocument:
    for name in ("chosen", "rejected"):
        if name not in row:
            raise ConfigError(f"{where}: {name} is missing{nearest(name, row)}")
    before, chosen = _said(row["chosen"], f"{where}: chosen")
    other_before, rejected = _said(row["rejected"], f"{where}: rejected")
    if before != other_before:
        raise ConfigError(f"{where}: chosen and rejected answer different conversations")
    given = next((row[name] for name in _PROMPTS if row.get(name)), None)
    if given is not None:
        prompt = given if isinstance(given, str) else _conversation(given, f"{where}: prompt")
        # TRL's explicit and implicit prompts: a conversation that is in both counts once.
        before = prompt if not before or before.startswith(prompt.strip()) else f"{prompt}\n\n{before}"
    if not before.strip():
        raise ConfigError(f"{where}: prompt is missing: what do chosen and rejected answer?")
    if not chosen.strip() or not rejected.strip():
        raise ConfigError(f"{where}: an answer is empty")
    if chosen.strip() == rejected.strip():
        raise ConfigError(f"{where}: chosen and rejected are equal")
    return {"prompt": before.strip(), "choices": [chosen.strip(), rejected.strip()]}


def _said(value: Any, where: str) -> tuple[str, str]:
    """What comes before the answer, and the answer."""
    if isinstance(value, list):
        if not value:
            raise ConfigError(f"{where}: the list of messages is empty")
        return _conversation(value[:-1], where), _content(value[-1], where)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: text or a list of messages is wanted")
    before, mark, answer = value.rpartition(_ASSISTANT)
    return (before + mark, answer) if mark and _HUMAN in before + mark else ("", value)


def _conversation(turns: Any, where: str) -> str:
    if not isinstance(turns, list):
        raise ConfigError(f"{where}: text or a list of messages is wanted")
    names = {"user": "Human", "assistant": "Assistant", "system": "System"}
    parts = []
    for turn in turns:
        role = str(turn.get("role", "")) if isinstance(turn, Mapping) else ""
        parts.append(f"{names.get(role, role or 'Human')}: {_content(turn, where)}")
    return "\n\n".join([*parts, "Assistant:"]) if parts else ""


def _content(turn: Any, where: str) -> str:
    content = turn.get("content") if isinstance(turn, Mapping) else None
    if not isinstance(content, str):
        raise ConfigError(f"{where}: a message of role and content, both text, is wanted")
    return content


def _config(name: str, path: Path, options: FileOptions) -> TaskConfig:
    return {
        "task": name,
        "dataset_path": path.name,
        "custom_dataset": dataset_of(read_preferences, path),
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "multiple_choice",
        "doc_to_text": "{{prompt}}",
        "doc_to_choice": "choices",
        "doc_to_target": 0,
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm")
        ],
        "metadata": {
            "version": 1.0,
            "headline": "acc_norm,none",
            "chance": 0.5,
            "description": "Pairs of answers: the share where the model finds the chosen one likelier.",
            "citation": "Rafailov et al. (2023). Direct Preference Optimization. arXiv:2305.18290",
        },
    }


KIND = FileKind(
    "preferences",
    _config,
    prefixes=("preferences:",),
    endings=(".jsonl",),
    wanted=".jsonl",
    example="pairs.jsonl",
)
