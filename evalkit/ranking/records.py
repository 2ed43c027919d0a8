"""The types of a leaderboard."""

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
    """The task or group; for a judge's figure, followed by the metric."""
    metric: str
    higher_is_better: bool | None = True
    """None: neither way is better."""
    task: str = ""
    """The task or group of a judge's figure; empty if it equals `name`."""

    @property
    def of(self) -> str:
        return self.task or self.name

    @property
    def judged(self) -> bool:
        return bool(self.task)


@dataclass(frozen=True)
class Line:
    """One run. What its manifest doesn't record is None."""

    run: Run
    engine: str | None
    precision: str | None
    parameters: int | None
    license: str | None
    scores: Mapping[str, Score]
    """Scores by the benchmark's name."""
    shots: Mapping[str, int | None]
    documents: Mapping[str, int | None]
    """How many documents each figure covers."""
    chat_template: bool | None = None
    """Whether prompts were rendered with the model's chat template."""
    apart: str = ""
    """Distinguishes this line from others of the same model: the revision or the run-id."""
    mean: Score = Score(None)
    normalised: Score = Score(None)
    rank: Rank | None = None
    """The best and the worst rank that the data allow."""

    @property
    def label(self) -> str:
        """The model as it was typed, with its adapter."""
        return self.run.label

    @property
    def name(self) -> str:
        """The label, with `apart` in brackets if the model has several lines."""
        return f"{self.label} ({self.apart})" if self.apart else self.label

    @property
    def tied(self) -> bool:
        """Whether the data allow more than one rank."""
        return self.rank is not None and self.rank.low != self.rank.high

    @property
    def date(self) -> datetime.date | None:
        return None if self.run.dated is None else self.run.dated.date()


@dataclass(frozen=True)
class Leaderboard:
    """The lines and the benchmarks of a leaderboard."""

    lines: tuple[Line, ...] = ()
    """The lines, best first."""
    benchmarks: tuple[Benchmark, ...] = ()
    shared: tuple[str, ...] = ()
    """The benchmarks in the mean: every line has them."""
    normalised: tuple[str, ...] = ()
    """The benchmarks in the chance-normalised mean: shared ones with a known chance level."""
    notes: tuple[str, ...] = ()


def listed(names: Sequence[str], most: int = 5) -> str:
    """The names separated by commas; if there are many, only the first ones."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
