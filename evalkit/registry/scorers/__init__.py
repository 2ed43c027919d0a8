"""How evalkit's own benchmarks are scored. One module here is one scorer, found by its name in a task file.

    scorer: bbq

A module has a SCORER. To add a scorer, add a module: nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil

from evalkit.errors import ConfigError, nearest
from evalkit.registry.scorers.scorer import Doc, TaskScorer

__all__ = ["Doc", "TaskScorer", "scorer_named"]


def scorer_named(name: object, where: str) -> TaskScorer:
    """The scorer of this name, or an error that says which there are."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "scorer")
    if name not in names:
        raise ConfigError(f"{where}: scorer: {name!r} is none of {', '.join(names)}{nearest(str(name), names)}")
    scorer = importlib.import_module(f"{__name__}.{name}").SCORER
    assert isinstance(scorer, TaskScorer)
    return scorer
