"""What a leaderboard is made of."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.results import Run
from evalkit.stats import Rank

__all__ = ["Benchmark", "Leaderboard", "Line", "Score", "listed"]


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its interval, or the reason why there is none."""

    value: float | None
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A column: a task or group under one metric."""

    name: str
    """The task or group; with the metric behind it where a judge's figure stands beside the headline."""
    metric: str
    higher_is_better: bool | None = True
    """None: neither way is better."""
    task: str = ""
    """The task or group where the name says more."""

    @property
    def of(self) -> str:
        return self.task or self.name

    @property
    def judged(self) -> bool:
        return bool(self.task)


@dataclass(frozen=True)
class Line:
    """One run. What its manifest doesn't say is None."""

    run: Run
    engine: str | None
    precision: str | None
    parameters: int | None
    license: str | None
    scores: Mapping[str, Score]
    """By the benchmark's name."""
    shots: Mapping[str, int | None]
    documents: Mapping[str, int | None]
    """How many documents each figure covers."""
    chat_template: bool | None = None
    """Whether prompts were rendered with the model's chat template."""
    apart: str = ""
    """What tells this line from others of the same model: the revision, else the run-id."""
    mean: Score = Score(None)
    normalised: Score = Score(None)
    rank: Rank | None = None
    """From the best to the worst that the data allow."""

    @property
    def label(self) -> str:
        """The model as it was typed, with its adapter."""
        return self.run.label

    @property
    def name(self) -> str:
        """The label, and what tells it from other lines of the same model."""
        return f"{self.label} ({self.apart})" if self.apart else self.label

    @property
    def tied(self) -> bool:
        """Whether the data leave its rank open."""
        return self.rank is not None and self.rank.low != self.rank.high

    @property
    def date(self) -> datetime.date | None:
        return None if self.run.dated is None else self.run.dated.date()


@dataclass(frozen=True)
class Leaderboard:
    lines: tuple[Line, ...] = ()
    """Best first."""
    benchmarks: tuple[Benchmark, ...] = ()
    shared: tuple[str, ...] = ()
    """The benchmarks of the mean: every line has them."""
    normalised: tuple[str, ...] = ()
    """Those of the chance-normalised mean: shared, and the chance level is known."""
    notes: tuple[str, ...] = ()


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence; of many, the first."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
