"""One page for some runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.api.definitions import ReportArguments
from evalkit.api.leaderboards import RankedRuns, chance_levels
from evalkit.api.output import as_html_table, write_all
from evalkit.api.policies import PolicyLike, as_policy
from evalkit.api.runs import RunLike, load_all, opened
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.reporting import overview as overviews

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunReport", "report"]


@dataclass(frozen=True, eq=False, repr=False)
class RunReport:
    """Some runs side by side: leaderboard, differences, verdicts, changed documents."""

    result: overviews.Overview
    texts: float = 24.0
    """How many megabytes of prompts and answers the page holds."""

    @property
    def warnings(self) -> list[str]:
        return self.result.warnings

    def frame(self) -> pd.DataFrame:
        """The leaderboard of these runs."""
        return RankedRuns(self.result.board).frame()

    def html(self) -> str:
        """The page: one file that loads nothing."""
        from evalkit.reporting.html import as_html

        return as_html(self.result, room=int(self.texts * 1_000_000))

    def markdown(self) -> str:
        """Leaderboard and verdicts."""
        return overviews.as_markdown(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        overviews.show(self.result)

    def __repr__(self) -> str:
        return safe.terminal(self.markdown())

    def _repr_html_(self) -> str:
        labels = ", ".join(run.label for run in self.result.runs)
        return as_html_table(f"Report of {labels}", self.frame(), self.warnings)


def report(
    runs: RunLike | Sequence[RunLike],
    *,
    output_path: str | Path = "results",
    baseline: RunLike | None = None,
    tasks: str | Sequence[str] = (),
    policy: PolicyLike | None = None,
    allow: str | Sequence[str] = (),
    texts: float = 24.0,
    html: str | Path | None = None,
    markdown: str | Path | None = None,
) -> RunReport:
    """One page for some runs: leaderboard, differences, verdicts, changed documents, troubles, settings.

    The first run is the baseline that the others are held against; one alone is shown by itself.
    """
    asked = from_call(ReportArguments, locals())
    rules = None if asked.policy is None else as_policy(asked.policy)
    chosen = load_all(runs, asked.output_path)
    if asked.baseline is not None:
        first = opened(asked.baseline, asked.output_path)
        chosen = [first, *(run for run in chosen if run.path.resolve() != first.path.resolve())]
    if not chosen:
        raise UsageError("a report is of one run or more: evalkit report RUN")
    view = overviews.overview(chosen, tasks=asked.tasks, policy=rules, allow=asked.allow, chances=chance_levels())
    made = RunReport(view, asked.texts)
    write_all((asked.html, made.html), (asked.markdown, made.markdown))
    return made
