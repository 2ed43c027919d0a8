"""Run folders: the only reader and writer of them.

RunWriter        stages a run and gives it its name in one step
Run              a run as it lies on disk
RunRecord        its manifest and figures as frozen types: Manifest, Results, TaskResult, GroupResult, Metric …
find, all_runs   by path, run-id, <model>@latest, @baseline; or all of them
find_foreign     other tools' runs below a path; find_foreign_below looks deeper
same_settings    whether the same name may go on
"""

from evalkit.results.disk import check_space, check_writable, write_file
from evalkit.results.finding import Runs, all_runs, bless, find, run_folders
from evalkit.results.foreign import find_foreign, find_foreign_below
from evalkit.results.judged import filter_of, judge_names, with_entries
from evalkit.results.names import check_name, is_plain, member_id, model_slug, new_run_id, run_path, slug
from evalkit.results.overlap_file import OVERLAP, Overlapping, read_overlap, write_overlap
from evalkit.results.record import (
    AdapterInfo,
    AgainstInfo,
    ChatTemplateInfo,
    Count,
    EarlyStopping,
    EarlyTask,
    EngineInfo,
    Entry,
    GroupResult,
    JudgeInfo,
    Manifest,
    Metric,
    ModelInfo,
    Results,
    RunRecord,
    TaskResult,
    TaskSettings,
    ThinkingInfo,
    Thoughts,
    Timing,
    Tokens,
    Verdicts,
)
from evalkit.results.run import STATUSES, Run
from evalkit.results.settings import same_settings
from evalkit.results.table import COLUMNS, scores_of
from evalkit.results.writer import Reporter, RunWriter, figure

__all__ = [
    "COLUMNS",
    "OVERLAP",
    "STATUSES",
    "AdapterInfo",
    "AgainstInfo",
    "ChatTemplateInfo",
    "Count",
    "EarlyStopping",
    "EarlyTask",
    "EngineInfo",
    "Entry",
    "GroupResult",
    "JudgeInfo",
    "Manifest",
    "Metric",
    "ModelInfo",
    "Overlapping",
    "Reporter",
    "Results",
    "Run",
    "RunRecord",
    "RunWriter",
    "Runs",
    "TaskResult",
    "TaskSettings",
    "ThinkingInfo",
    "Thoughts",
    "Timing",
    "Tokens",
    "Verdicts",
    "all_runs",
    "bless",
    "check_name",
    "check_space",
    "check_writable",
    "figure",
    "filter_of",
    "find",
    "find_foreign",
    "find_foreign_below",
    "is_plain",
    "judge_names",
    "member_id",
    "model_slug",
    "new_run_id",
    "read_overlap",
    "run_folders",
    "run_path",
    "same_settings",
    "scores_of",
    "slug",
    "with_entries",
    "write_file",
    "write_overlap",
]
