"""What earlier runs say of a task: how quickly it was answered, and how many answers changed between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evalkit.comparison import compare
from evalkit.errors import EvalkitError
from evalkit.results import Run

__all__ = ["Discordance", "Pace", "discordance_of", "pace_of"]

_SAME_MACHINE = ("machine", "cpu", "cores", "gpus")
_OWN = 0.5
"""The share of its answers that a run must have made itself: the time of the others is not in its record."""
_FEWEST = 30
"""Documents below which a share of changed ones says little."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of a run that was asked for one task alone, so that its time is the task's."""

    seconds: float
    """For one document."""
    fixed: float
    """Seconds that do not depend on the documents: loading, building prompts."""
    run_id: str


@dataclass(frozen=True, slots=True)
class Discordance:
    """The share of documents that two runs answered differently."""

    share: float
    documents: int
    between: tuple[str, str]


def pace_of(name: str, shots: Mapping[str, int], runs: Sequence[Run], hardware: Mapping[str, Any]) -> Pace | None:
    """By the first of the runs that did the same work on a machine like this one. `shots`: the examples of each member.

    A run that found most of its answers in the journal says nothing, nor does one that does not say how many (an older
    evalkit's), nor one of several tasks: its time is not split.
    """
    for run in runs:
        manifest, results = run.record.manifest, run.record.results
        timing, theirs = results.timing, manifest.hardware or {}
        if list(run.requested) != [name]:
            continue
        if any(theirs.get(key) != hardware.get(key) for key in _SAME_MACHINE):
            continue
        if any((task := manifest.tasks.get(leaf)) is None or task.num_fewshot != few for leaf, few in shots.items()):
            continue
        documents = sum(results.tasks[leaf].n or 0 for leaf in shots if leaf in results.tasks)
        work, own = (timing.inference or 0.0) + (timing.scoring or 0.0), timing.own_share or 0.0
        if documents and work and own >= _OWN and results.tokens.computed.value:
            return Pace(work / (documents * own), max((timing.total or work) - work, 0.0), run.run_id)
    return None


def discordance_of(name: str, runs: Sequence[Run]) -> Discordance | None:
    """Between the first two neighbours of the runs that share enough documents of the task."""
    for first, second in pairwise(run for run in runs if run.entry(name) is not None):
        try:
            [task] = compare(second, [first], tasks=[name]).against[0].tasks
        except (EvalkitError, ValueError):
            continue
        if task.n >= _FEWEST:
            # One document more of either kind: no change among a few does not mean that there never is one.
            return Discordance((task.lost + task.gained + 1) / (task.n + 2), task.n, (second.run_id, first.run_id))
    return None
