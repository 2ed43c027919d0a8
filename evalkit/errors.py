"""Everything that evalkit raises on purpose, and the exit code that each means.

    EvalkitError
    ├── AskedWrong          2   what was asked for is wrong or cannot be found
    │   ├── UsageError          a flag, or flags that contradict each other
    │   ├── ConfigError         a YAML file: unknown key, wrong type, syntax
    │   ├── UnknownTask         no such task, group or tag
    │   ├── UnknownModel        no such alias, hub id or path
    │   ├── UnknownRun          no such run, or two that match
    │   ├── DataNotFound        a data set that is neither in the mirror nor on the hub
    │   └── NotComparable       two runs that measured different things
    ├── CouldNotDo          4   asked rightly, could not be done
    │   ├── OutputError         a folder that cannot be written, a full disk
    │   ├── CheckpointError     missing or broken model files
    │   ├── RunFolderError      a run folder that is broken or half-written
    │   │   └── NoDocumentFigures   a figure of the whole corpus, as perplexity's: no document has one of its own
    │   ├── EngineError         the engine refused, died or ran out of memory
    │   │   ├── BudgetReached       the dollars of --max-usd are spent
    │   │   └── AdaptersRefused     it takes the model but not these adapters: they can be merged
    │   ├── PluginError         an installed plug-in that cannot be loaded
    │   ├── SandboxError        no sandbox holds here, or its coverage is too low
    │   ├── SynthesisError      a pool of new tasks that cannot be filled
    │   ├── ExportError         a tracker or a hub that cannot be reached or refuses
    │   └── JudgeError          a judge below its coverage
    └── Interrupted       130   Ctrl-C or SIGTERM; the same command resumes

A message says what was asked, what was found, and what to type. Verdicts are no errors: VERDICT_EXIT_CODES has theirs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "VERDICT_EXIT_CODES",
    "AdaptersRefused",
    "AskedWrong",
    "BudgetReached",
    "CheckpointError",
    "ConfigError",
    "CouldNotDo",
    "DataNotFound",
    "EngineError",
    "EvalkitError",
    "ExportError",
    "Interrupted",
    "JudgeError",
    "NoDocumentFigures",
    "NotComparable",
    "OutputError",
    "PluginError",
    "RunFolderError",
    "SandboxError",
    "SynthesisError",
    "UnknownModel",
    "UnknownRun",
    "UnknownTask",
    "UsageError",
    "nearest",
]

VERDICT_EXIT_CODES = {"pass": 0, "regression": 1, "cannot_tell": 3}
"""Exit code of each verdict of a gate."""


class EvalkitError(Exception):
    exit_code = 4

    runs: tuple[Any, ...] = ()
    """The runs that were written before it, where a function of the Python API could not do all that was asked."""
    not_at_hand = False
    """Whether data or a package is missing here, so that a suite may go without the part that needs it."""


class AskedWrong(EvalkitError):
    exit_code = 2


class UsageError(AskedWrong):
    pass


class ConfigError(AskedWrong):
    pass


class UnknownTask(AskedWrong):
    pass


class UnknownModel(AskedWrong):
    pass


class UnknownRun(AskedWrong):
    pass


class DataNotFound(AskedWrong):
    not_at_hand = True


class NotComparable(AskedWrong):
    pass


class CouldNotDo(EvalkitError):
    exit_code = 4


class OutputError(CouldNotDo):
    pass


class CheckpointError(CouldNotDo):
    pass


class RunFolderError(CouldNotDo):
    pass


class NoDocumentFigures(RunFolderError):
    pass


class EngineError(CouldNotDo):
    pass


class BudgetReached(EngineError):
    """The dollars of --max-usd are spent."""


class AdaptersRefused(EngineError):
    def __init__(self, why: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"adapter {name}: {reason}" for name, reason in why.items()))
        self.why = why
        """By the adapter's name."""


class PluginError(CouldNotDo):
    pass


class SandboxError(CouldNotDo):
    pass


class SynthesisError(CouldNotDo):
    pass


class ExportError(CouldNotDo):
    pass


class JudgeError(CouldNotDo):
    pass


class Interrupted(EvalkitError):
    exit_code = 130


def nearest(asked: str, known: Iterable[str], n: int = 3) -> str:
    """'; did you mean a, b?', or nothing where nothing is near."""
    close = difflib.get_close_matches(asked, list(known), n=n, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""
