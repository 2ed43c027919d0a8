"""How many documents and answers a task needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import gating, safe
from evalkit.api.output import as_html_table, write_all
from evalkit.api.plan_definitions import PlanArguments
from evalkit.api.runs import RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.reporting import plan_view

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlannedTasks", "plan"]


@dataclass(frozen=True, eq=False, repr=False)
class PlannedTasks:
    """What each task needs so that the drop is found."""

    result: gating.Plan

    def frame(self) -> pd.DataFrame:
        """One row for each task: documents, answers per document, how many there are, tokens and minutes of one run."""
        import pandas as pd

        return pd.DataFrame(plan_view.records(self.result))

    @property
    def notes(self) -> list[str]:
        return plan_view.notes(self.result)

    def json(self) -> str:
        return plan_view.as_json(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        plan_view.show(self.result)

    def __repr__(self) -> str:
        return safe.terminal(f"{plan_view.heading(self.result)}\n{self.frame().to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        return as_html_table(plan_view.heading(self.result), self.frame(), self.notes)


def plan(
    *,
    tasks: str | Sequence[str] = (),
    baseline: RunLike | None = None,
    drop: float = 0.02,
    power: float = 0.8,
    confidence: float = 0.95,
    noise: RunLike | None = None,
    output_path: str | Path = "results",
    json: str | Path | None = None,
) -> PlannedTasks:
    """Say how many documents and answers per document find a drop, from how much the baseline's own answers differ."""
    asked = from_call(PlanArguments, locals())
    if asked.baseline is None:
        raise UsageError("--baseline RUN is missing: the run whose own noise is planned with")
    planned = PlannedTasks(
        gating.plan_tasks(
            opened(asked.baseline, asked.output_path),
            tasks=asked.tasks,
            drop=asked.drop,
            power=asked.power,
            confidence=asked.confidence,
            noise=None if asked.noise is None else opened(asked.noise, asked.output_path),
        )
    )
    write_all((asked.json, planned.json))
    return planned
