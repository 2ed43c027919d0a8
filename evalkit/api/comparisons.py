"""What differs between runs, document by document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import comparison, safe
from evalkit.api.definitions import CompareArguments
from evalkit.api.labels import read_labels_of
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import RunLike, load_all
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.reporting import comparison_view
from evalkit.types import JsonObject

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ComparedRuns", "compare"]


@dataclass(frozen=True, eq=False, repr=False)
class ComparedRuns:
    """A baseline and the runs that were compared with it."""

    result: comparison.Comparison

    @property
    def notes(self) -> list[str]:
        return [note for against in self.result.against for note in against.notes]

    def frame(self) -> pd.DataFrame:
        """One row for each run and task: both figures, the difference with its interval, documents lost and gained."""
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self._rows()])

    def flips(self) -> pd.DataFrame:
        """The changed documents with both answers, as many as `show_flips` asked for."""
        import pandas as pd

        rows = [
            {
                "run": against.run.run_id,
                "task": flip.task,
                "doc_id": flip.doc_id,
                "lost": flip.lost,
                "question": flip.question,
                "target": flip.target,
                "baseline": flip.baseline,
                "candidate": flip.candidate,
            }
            for against in self.result.against
            for task in against.tasks
            for flip in task.flips
        ]
        return pd.DataFrame(rows)

    def markdown(self) -> str:
        return comparison_view.as_markdown(self.result)

    def json(self) -> str:
        return comparison_view.as_json(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        comparison_view.show(self.result)

    def _rows(self) -> Iterator[JsonObject]:
        for against in self.result.against:
            for task in against.tasks:
                yield {
                    "run": against.run.run_id,
                    "task": task.name,
                    "metric": task.metric,
                    "baseline": task.baseline,
                    "candidate": task.candidate,
                    "delta": task.delta,
                    "low": None if task.ci95 is None else task.ci95.low,
                    "high": None if task.ci95 is None else task.ci95.high,
                    "p": task.p,
                    "p_holm": task.p_holm,
                    "lost": task.lost,
                    "gained": task.gained,
                    "detectable": task.detectable,
                    "n": task.n,
                    "improved": task.improved,
                }

    def _heading(self) -> str:
        others = ", ".join(f"{against.run.label} ({against.run.run_id})" for against in self.result.against)
        return f"{others} against {self.result.baseline.label} ({self.result.baseline.run_id})"

    def __repr__(self) -> str:
        frame = self.frame()[["run", "task", "metric", "baseline", "candidate", "delta", "low", "high", "n"]]
        return safe.terminal(f"{self._heading()}\n{frame.to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        return as_html_table(self._heading(), self.frame(), self.notes)


def compare(
    baseline: RunLike,
    *others: RunLike,
    output_path: str | Path = "results",
    tasks: str | Sequence[str] = (),
    metric: str | None = None,
    allow: str | Sequence[str] = (),
    labels: str | Path | None = None,
    show_flips: int = 0,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
) -> ComparedRuns:
    """Say what differs between a run and others, document by document."""
    asked = from_call(CompareArguments, locals())
    if not others:
        raise UsageError("two runs or more are compared: evalkit compare BASELINE CANDIDATE")
    first, *rest = load_all([baseline, *others], asked.output_path)
    compared = ComparedRuns(
        comparison.compare(
            first,
            rest,
            tasks=asked.tasks,
            metric=asked.metric,
            allow=asked.allow,
            flips=asked.show_flips,
            labels=read_labels_of(asked.labels),
        )
    )
    write_all((asked.json, compared.json), (asked.markdown, compared.markdown))
    return compared
