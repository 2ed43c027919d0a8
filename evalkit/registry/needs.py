"""Whether what tasks need is installed: the base install reads results, and has neither lm-eval nor datasets."""

from __future__ import annotations

import importlib.util

from evalkit.errors import UsageError

__all__ = ["check_installed"]

_NEEDED = ("lm_eval", "datasets")


def check_installed() -> None:
    """UsageError where tasks cannot be read or run here, with the command that installs what is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f'tasks need {" and ".join(missing)}, which the base install leaves out: pip install "lm-evalkit[hf]"'
            ' (or [vllm], [openai]) to run models, "lm-evalkit[run]" to score recorded answers'
        )
