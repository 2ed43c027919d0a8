"""What `scorer:` of a shipped task file names: how its answers are scored, and which groups its documents fall into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Doc", "Part", "TaskScorer"]

Doc: TypeAlias = Mapping[str, Any]
"""One row of a data set."""

Part: TypeAlias = str
"""The name of a group of a task's documents, without the task's own: `Age_amb` of `bbq_gen_Age_amb`."""


@dataclass(frozen=True, slots=True)
class TaskScorer:
    process: Callable[[Doc, Sequence[Any]], Mapping[str, float | None]]
    """lm-eval's `process_results`. An answer that cannot be read has None for every metric."""
    stratum: Callable[[Doc], str] | None = None
    """The stratum of a document."""
    parts: Callable[[str], tuple[Part, ...]] = lambda stratum: ()
    """The groups that a stratum belongs to; each gets figures of its own in results.json."""
    ready: Callable[[], object] = lambda: None
    """Called before documents are built: raises where a package that it needs is missing."""
    reads_all: bool = False
    """It reads all answers to a document together: what one of them scores alone is no figure."""
    parts_only: tuple[str, ...] = ()
    """Metrics that say something of a part and nothing of the whole task."""
    counted_by: Mapping[str, str] = field(default_factory=dict)
    """For a metric that some answers have no value of by right, the metric that every answer has that was read."""
    best_at: Mapping[str, float] = field(default_factory=dict)
    """Metrics of which neither more nor less is better: the nearer to this value the better."""
