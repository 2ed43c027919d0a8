"""`--tasks alpaca:FILE`: a file of instructions and answers as a task, without a task file."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import UsageError, nearest
from evalkit.registry.instructions import read_instructions
from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import dataset_of
from evalkit.registry.reference import METRICS, compare_with_reference
from evalkit.types import TaskConfig

__all__ = ["KIND"]

_STOPS = {
    "alpaca": ("\n### Instruction:", "\n### Input:", "\n### Response:"),
    "koalpaca": ("\n### 질문:", "\n### 맥락:", "\n### 답변:"),
}
"""By the layout: where the answer ends and the model begins to ask itself."""


def _config(name: str, path: Path, options: FileOptions) -> TaskConfig:
    layout = options.settings.get("layout", "alpaca")
    if layout not in _STOPS:
        raise UsageError(f"{name}: layout {layout!r} is none of {', '.join(_STOPS)}{nearest(layout, _STOPS)}")
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
        "generation_kwargs": {"until": list(_STOPS[layout]), "do_sample": False, "max_gen_toks": 512},
        "conversation": {"layout": layout},
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
    settings=("layout",),
)
