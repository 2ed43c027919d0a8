"""`--tasks alpaca:FILE`: a file of instructions and answers as a task, without a task file."""

from __future__ import annotations

from pathlib import Path

from evalkit.registry.instructions import read_instructions
from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import dataset_of
from evalkit.registry.reference import METRICS, compare_with_reference
from evalkit.types import TaskConfig

__all__ = ["KIND"]

_STOPS = ("\n### Instruction:", "\n### Input:", "\n### Response:")


def _config(name: str, path: Path, options: FileOptions) -> TaskConfig:
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


KIND = FileKind(
    "alpaca",
    _config,
    # Both prefixes mean the same: a row's keys show which format it has.
    prefixes=("alpaca:", "messages:"),
    example="koalpaca.jsonl",
)
