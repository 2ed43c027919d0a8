"""The seam to lm-eval: nothing outside this package imports lm_eval, and importing it brings lm_eval.

index.py      lm-eval's index of tasks        manager.py    its task manager over that index
factory.py    builds tasks and groups         templates.py  renders their templates in a sandbox
metrics.py    figures over all documents      parts.py      instances and hashes

Task objects are handed on as they are; nothing outside needs lm_eval's own types.
"""

from evalkit.registry.lmeval.factory import Factory, TaskFiles, runs_code_here
from evalkit.registry.lmeval.index import BUILTIN_TASKS, GROUP_KEYS, TASK_KEYS, Index, Kind, written
from evalkit.registry.lmeval.manager import Manager
from evalkit.registry.lmeval.metrics import aggregate, group_figures, known_metric, metric_names
from evalkit.registry.lmeval.parts import hash_json, hash_text, make_instance, sample_size, say, version
from evalkit.registry.lmeval.templates import render, rendering

__all__ = [
    "BUILTIN_TASKS",
    "GROUP_KEYS",
    "TASK_KEYS",
    "Factory",
    "Index",
    "Kind",
    "Manager",
    "TaskFiles",
    "aggregate",
    "group_figures",
    "hash_json",
    "hash_text",
    "known_metric",
    "make_instance",
    "metric_names",
    "render",
    "rendering",
    "runs_code_here",
    "sample_size",
    "say",
    "version",
    "written",
]
