"""`--tasks squad:FILE`: a file in SQuAD's own format as a task; `?rules=korquad` for one of KorQuAD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.checks.reading import RULES
from evalkit.errors import UsageError, nearest
from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import PlainRows
from evalkit.registry.reading import metric_list
from evalkit.registry.squadfile import SquadFile, read_squad
from evalkit.types import TaskConfig

__all__ = ["KIND"]

_PROMPTS = {
    "squad": "Context: {{context}}\n\nQuestion: {{question}}\n\nAnswer:",
    "squad_v2": (
        "Context: {{context}}\n\nQuestion: {{question}}\n\nAnswer (leave it empty if the context does not say):"
    ),
    "korquad": "지문: {{context}}\n\n질문: {{question}}\n\n정답:",
}


def _config(name: str, path: Path, options: FileOptions) -> TaskConfig:
    rules = options.settings.get("rules")
    if rules is not None and rules not in RULES:
        raise UsageError(f"squad:{path}: rules {rules!r} is none of {', '.join(RULES)}{nearest(rules, RULES)}")
    read = read_squad(path, rules)
    metadata: dict[str, Any] = {
        "version": 1.0,
        "headline": "f1,none",
        "reading": read.rules,
        "cluster": _cluster(read),
        "description": "Questions on the passages of a file in SQuAD's format.",
    }
    if read.rules == "korquad":
        metadata["answers_in"] = "ko"

    def load(**_: Any) -> dict[str, PlainRows]:
        return {"test": read.rows}

    return {
        "task": name,
        # The path is part of what was typed; what the rows say is hashed.
        "dataset_path": path.name,
        "custom_dataset": load,
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "generate_until",
        "doc_to_text": _PROMPTS[read.rules],
        "doc_to_target": "{{answers.text[0] if answers.text else ''}}",
        "process_results": "evalkit.registry.reading",
        "metric_list": metric_list(read.rules),
        "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 64},
        "metadata": metadata,
    }


def _cluster(read: SquadFile) -> str:
    """Questions on one article go together; of a single article, those on one passage."""
    return "title" if len({row["title"] for row in read.rows}) > 1 else "context"


KIND = FileKind(
    "squad",
    _config,
    prefixes=("squad:",),
    endings=(".json",),
    wanted=".json",
    example="dev-v1.1.json",
    by_stem=True,
    settings=("rules",),
)
