"""The task registry: from names to documents, and from answers to figures.

registry.py  names → Suite                        files.py    user-written task files, vetted
suite.py     tasks, groups, their figures         data.py     the mirror and the hub
task.py      build, score, aggregate one task     cards.py    facts of the shipped benchmarks
rows.py      Document and rows                    code.py     `sandbox: python`
lmeval/      the seam: nothing else imports lm_eval
browse.py    list, show and validate              mirror.py   check and pull
taskindex.py lm-eval's names, kept on disk         spotting.py  which names a user's files speak of
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.registry.browse import Listed, Shown, Validated, list_tasks, show_task, validate_path
    from evalkit.registry.cards import Sized
    from evalkit.registry.data import DataSource
    from evalkit.registry.grading import Scorer
    from evalkit.registry.mirror import Pulled, Served, check_data, pull_data
    from evalkit.registry.registry import Registry
    from evalkit.registry.rows import Document
    from evalkit.registry.suite import Group, Suite, SuiteFigures
    from evalkit.registry.task import Task

__all__ = [
    "DataSource",
    "Document",
    "Group",
    "Listed",
    "Pulled",
    "Registry",
    "Scorer",
    "Served",
    "Shown",
    "Sized",
    "Suite",
    "SuiteFigures",
    "Task",
    "Validated",
    "check_data",
    "list_tasks",
    "pull_data",
    "show_task",
    "validate_path",
]

_HOMES = {
    "DataSource": "data",
    "Document": "rows",
    "Listed": "browse",
    "Pulled": "mirror",
    "Served": "mirror",
    "Shown": "browse",
    "Validated": "browse",
    "check_data": "mirror",
    "list_tasks": "browse",
    "pull_data": "mirror",
    "show_task": "browse",
    "validate_path": "browse",
    "Group": "suite",
    "Registry": "registry",
    "Scorer": "grading",
    "Sized": "cards",
    "Suite": "suite",
    "SuiteFigures": "suite",
    "Task": "task",
}


def __getattr__(name: str) -> Any:
    """Import on first use: most of this room brings lm_eval with it."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
