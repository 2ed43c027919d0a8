"""`--tasks alpaca:FILE`: a file of instructions and answers as a task, without a line of YAML."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError, nearest
from evalkit.registry.instructions import read_instructions
from evalkit.registry.plainrows import dataset_of
from evalkit.registry.reference import METRICS, compare_with_reference

__all__ = ["PREFIXES", "config_of", "file_of", "meant_by", "spell_out"]

PREFIXES = ("alpaca:", "messages:")
"""Two names for one thing: what a row holds says which of the two it is."""

_STOPS = ("\n### Instruction:", "\n### Input:", "\n### Response:")


def file_of(name: str) -> Path | None:
    """The file behind a task's name; None for a task of any other kind."""
    prefix, colon, rest = name.partition(":")
    return Path(rest).expanduser() if f"{prefix}{colon}" in PREFIXES else None


def meant_by(name: str) -> str:
    """What to type where a name is a file without its prefix, or with a misspelt one; else nothing."""
    for path in (name, name.partition(":")[2]):
        if path.lower().endswith((".json", ".jsonl")) and Path(path).expanduser().is_file():
            return f"; for a file of instructions type {PREFIXES[0]}{path}"
    return ""


def spell_out(names: Iterable[str]) -> list[str]:
    """Each name once, a pattern of files as one name for each file that it matches."""
    spelled: list[str] = []
    for name in names:
        path = file_of(name)
        if path is None or path.is_file():
            spelled.append(name)
            continue
        prefix = name.partition(":")[0]
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = sorted(match for match in matches if Path(match).is_file())
        if not found:
            raise UsageError(f"--tasks {name}: {_missing(path, prefix)}")
        spelled += [f"{prefix}:{file}" for file in found]
    return list(dict.fromkeys(spelled))


def _missing(path: Path, prefix: str) -> str:
    if not path.name or path.is_dir():
        return f"a file is wanted; {prefix}:{path}/*.jsonl takes all files of a folder"
    if glob.has_magic(str(path)):
        return f"no file matches; type the path of a .json or .jsonl file, such as {prefix}:koalpaca.jsonl"
    beside = [other.name for other in path.parent.glob("*.json*")] if path.parent.is_dir() else []
    hint = nearest(path.name, beside) or f"; type the path of a .json or .jsonl file, such as {prefix}:koalpaca.jsonl"
    return f"no such file{hint}"


def config_of(name: str) -> dict[str, Any]:
    """The task as lm-eval would have it from a YAML file."""
    path = file_of(name)
    assert path is not None
    return {
        "task": name,
        # The path is part of the name that was typed; what the rows say is hashed.
        "dataset_path": path.name,
        "custom_dataset": dataset_of(read_instructions, path),
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "generate_until",
        "doc_to_text": "instruction",
        "doc_to_target": "output",
        "process_results": compare_with_reference,
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": None if metric == "length_ratio" else True}
            for metric in METRICS
        ],
        "generation_kwargs": {"until": list(_STOPS), "do_sample": False, "max_gen_toks": 512},
        "conversation": {"layout": "alpaca"},
        "metadata": {
            "version": 1.0,
            "headline": "chrf,none",
            "description": "Instructions of a file, each answer held against the file's own.",
        },
    }
