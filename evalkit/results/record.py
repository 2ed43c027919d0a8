"""What manifest.json and results.json hold, as frozen types. A run folder is checked against them when it is opened.

RunRecord      both files of a run
Manifest       all that determined the run
Results        its figures: TaskResult and GroupResult with their Metrics, Timing, Tokens

Structure is checked strictly: objects are objects and lists are lists, or the folder is refused. Single values are read
tolerantly: one that is not of its kind counts as not known. Entries that these types do not name are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.results.figures import (
    Count,
    EarlyStopping,
    EarlyTask,
    Entry,
    GroupResult,
    JudgeInfo,
    Metric,
    Results,
    RubricInfo,
    Settings,
    TaskResult,
    Thoughts,
    Timing,
    Tokens,
    Verdicts,
)
from evalkit.results.manifest import (
    AdapterInfo,
    AgainstInfo,
    ChatTemplateInfo,
    EngineInfo,
    Imported,
    Manifest,
    ModelInfo,
    TaskSettings,
    ThinkingInfo,
)

__all__ = [
    "AdapterInfo",
    "AgainstInfo",
    "ChatTemplateInfo",
    "Count",
    "EarlyStopping",
    "EarlyTask",
    "EngineInfo",
    "Entry",
    "GroupResult",
    "Imported",
    "JudgeInfo",
    "Manifest",
    "Metric",
    "ModelInfo",
    "Results",
    "RubricInfo",
    "RunRecord",
    "Settings",
    "TaskResult",
    "TaskSettings",
    "ThinkingInfo",
    "Thoughts",
    "Timing",
    "Tokens",
    "Verdicts",
]


@dataclass(frozen=True, slots=True)
class RunRecord:
    manifest: Manifest
    results: Results
