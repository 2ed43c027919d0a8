"""The functions that tasks/ifeval.yaml names: a document's four figures, and the pooling of figures of instructions."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.checks.ifeval import follow
from evalkit.types import RawDocument

__all__ = ["pooled", "process_results"]


def process_results(doc: RawDocument, results: Sequence[str]) -> dict[str, bool | list[bool]]:
    """Figures under lm-eval's names: whether all instructions were followed, and a verdict on each instruction."""
    arguments = [{name: value for name, value in kwargs.items() if value is not None} for kwargs in doc["kwargs"]]
    following = follow(doc["instruction_id_list"], arguments, results[0])
    return {
        "prompt_level_strict_acc": all(following.strict),
        "inst_level_strict_acc": list(following.strict),
        "prompt_level_loose_acc": all(following.loose),
        "inst_level_loose_acc": list(following.loose),
    }


def pooled(items: Sequence[Sequence[bool]]) -> float:
    """The share of followed instructions over all prompts."""
    verdicts = [verdict for item in items for verdict in item]
    return sum(verdicts) / len(verdicts)
