"""HaluEval's recognition: does the model see that an answer holds something made up? (Li et al. 2023)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.registry.scorers.scorer import Doc, TaskScorer

__all__ = ["SCORER"]

_NAMES = {"yes": "hallucinated", "no": "faithful"}


def _process(doc: Doc, results: Sequence[Any]) -> dict[str, float | None]:
    no, yes = (float(result[0]) for result in results)
    return {"acc": float((yes > no) == (doc["hallucination"] == "yes"))}


SCORER = TaskScorer(_process, lambda doc: _NAMES[doc["hallucination"]], lambda stratum: (stratum,))
