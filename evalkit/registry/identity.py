"""The settings that determine a task's figures, as the manifest holds them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from evalkit.registry.rows import Document
from evalkit.types import Arguments

__all__ = ["TaskIdentity", "identity_of"]


class TaskIdentity(TypedDict):
    """A task's entry in the manifest."""

    version: Any
    num_fewshot: int
    output_type: str
    repeats: int
    config_hash: str
    data_hash: str
    prompts_hash: str
    generation: Arguments | None
    broken_rows: NotRequired[list[list[int | str]]]
    """Line and reason of each row that was left out."""


def identity_of(
    task: Any,
    documents: Sequence[Document],
    *,
    version: Any,
    num_fewshot: int,
    output_type: str,
    repeats: int,
    generation: Arguments | None,
    broken_rows: Sequence[tuple[int, str]],
) -> TaskIdentity:
    """The entry of lm-eval's Task object `task` with these documents."""
    from evalkit.registry import lmeval

    config = task.dump_config()
    metadata = dict(config.get("metadata") or {})
    metadata.pop("config_source", None)
    if isinstance(metadata.get("sandbox"), dict):
        # The canonical programs test the machine, and no answer.
        metadata["sandbox"] = {key: value for key, value in metadata["sandbox"].items() if key != "canonical"}
    config["metadata"] = metadata
    for key in ("dataset_kwargs", "generation_kwargs", "num_fewshot"):
        config.pop(key, None)
    # How often a prompt is asked changes no prompt and no score of an answer: it is an entry of its own.
    config["repeats"] = getattr(task, "declared_repeats", config.get("repeats"))
    identity: TaskIdentity = {
        "version": version,
        "num_fewshot": num_fewshot,
        "output_type": output_type,
        "repeats": repeats,
        "config_hash": lmeval.hash_text(json.dumps(config, sort_keys=True, default=_source)),
        "data_hash": lmeval.hash_text("".join(document.doc_hash for document in documents)),
        "prompts_hash": lmeval.hash_text("".join(document.prompt_hash or "" for document in documents)),
        "generation": generation,
    }
    if broken_rows:
        identity["broken_rows"] = [list(row) for row in broken_rows]
    return identity


def _source(value: Any) -> str:
    """A function's source, so that its address is not part of the hash. Of evalkit's own functions the name.

    A word that is changed in evalkit's code would else part a run from its baseline. Whoever changes what such a
    function computes raises the task's version.
    """
    name = getattr(value, "__qualname__", None)
    if name is not None and str(getattr(value, "__module__", "")).partition(".")[0] == "evalkit":
        return f"evalkit's {name}"
    try:
        return inspect.getsource(value)
    except (TypeError, OSError):
        return name or type(value).__qualname__
