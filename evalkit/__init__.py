"""evalkit: is this model better or worse, on what, and how sure are you?

    import evalkit as ek

    run = ek.evaluate("nano", tasks=["mini"], limit=50)
    base = ek.load("mistral-7b-instruct@latest")
    ek.gate(base, run, policy="gate.yaml").verdict

The functions are loaded when they are first used, so that importing evalkit costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.api.arenas import arena
    from evalkit.api.comparisons import compare
    from evalkit.api.evaluation import evaluate
    from evalkit.api.exports import export
    from evalkit.api.judgments import judge
    from evalkit.api.juries import jury
    from evalkit.api.leaderboards import leaderboard
    from evalkit.api.learning_curves import curve
    from evalkit.api.merging import merge
    from evalkit.api.overlaps import overlap
    from evalkit.api.plans import plan
    from evalkit.api.rates import rate
    from evalkit.api.recorded import score
    from evalkit.api.reports import report
    from evalkit.api.runs import Run, load
    from evalkit.api.synth_shows import synth_show
    from evalkit.api.synthesis import synth_export, synth_new, synth_replay
    from evalkit.api.verdicts import gate
    from evalkit.api.watches import watch
    from evalkit.policy import Policy

__version__ = "0.1.0"
__all__ = [
    "Policy",
    "Run",
    "__version__",
    "arena",
    "compare",
    "curve",
    "evaluate",
    "export",
    "gate",
    "judge",
    "jury",
    "leaderboard",
    "load",
    "merge",
    "overlap",
    "plan",
    "rate",
    "report",
    "score",
    "synth_export",
    "synth_new",
    "synth_replay",
    "synth_show",
    "watch",
]

_HOMES = {
    "Policy": "evalkit.policy",
    "Run": "evalkit.api.runs",
    "arena": "evalkit.api.arenas",
    "compare": "evalkit.api.comparisons",
    "curve": "evalkit.api.learning_curves",
    "evaluate": "evalkit.api.evaluation",
    "export": "evalkit.api.exports",
    "gate": "evalkit.api.verdicts",
    "judge": "evalkit.api.judgments",
    "jury": "evalkit.api.juries",
    "leaderboard": "evalkit.api.leaderboards",
    "load": "evalkit.api.runs",
    "merge": "evalkit.api.merging",
    "overlap": "evalkit.api.overlaps",
    "plan": "evalkit.api.plans",
    "rate": "evalkit.api.rates",
    "report": "evalkit.api.reports",
    "synth_export": "evalkit.api.synthesis",
    "synth_new": "evalkit.api.synthesis",
    "synth_replay": "evalkit.api.synthesis",
    "synth_show": "evalkit.api.synth_shows",
    "score": "evalkit.api.recorded",
    "watch": "evalkit.api.watches",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
