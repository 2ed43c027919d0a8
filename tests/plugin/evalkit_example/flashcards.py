"""A kind of task: `--tasks flashcards:FILE`, a text file with `question :: answer` on each line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import PlainRows, dataset_of


def read_cards(path: Path) -> PlainRows:
    rows, broken = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        question, separator, answer = line.partition(" :: ")
        if separator:
            rows.append({"question": question, "answer": answer})
        elif line.strip():
            broken.append((number, "no ` :: ` between question and answer"))
    return PlainRows(rows, broken)


def config(name: str, path: Path, options: FileOptions) -> dict[str, Any]:
    """The task, with the keys that a task file in YAML has."""
    return {
        "task": name,
        "dataset_path": path.name,
        "custom_dataset": dataset_of(read_cards, path),
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 32},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0, "headline": "exact_match,none", "description": "Flashcards of a file."},
    }


FLASHCARDS = FileKind(
    "flashcards", config, prefixes=("flashcards:",), endings=(".txt",), wanted=".txt", example="cards.txt"
)
