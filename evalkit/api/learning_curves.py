"""Figures along a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import comparison, curves, results, safe
from evalkit.api.checkpoint_runs import evaluate_checkpoints, split_checkpoints
from evalkit.api.curve_definitions import CurveArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import RunLike, load_all, opened
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.registry.cards import load_cards, shipped_folder
from evalkit.reporting import curve_view
from evalkit.reporting.pieces import as_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LearningCurves", "curve"]


@dataclass(frozen=True, eq=False, repr=False)
class LearningCurves:
    """A curve for each task: points with bands, the best, and whether the last is worse."""

    result: curves.Curves
    runs: Mapping[str, results.Run] = field(default_factory=dict)
    """By run-id: the page shows texts of their rows."""

    @property
    def notes(self) -> tuple[str, ...]:
        return self.result.notes

    def frame(self) -> pd.DataFrame:
        """One row for each task and point, with its band."""
        import pandas as pd

        return pd.DataFrame(curve_view.records(self.result))

    def findings(self) -> pd.DataFrame:
        """One row for each task: the best and the last point, and what is sure of them."""
        import pandas as pd

        return pd.DataFrame(curve_view.findings(self.result))

    def json(self) -> str:
        return curve_view.as_json(self.result)

    def csv(self) -> str:
        return as_csv(curve_view.records(self.result))

    def markdown(self) -> str:
        return curve_view.as_markdown(self.result)

    def html(self) -> str:
        """A page with a chart for each task and the documents that were forgotten; it needs nothing from outside."""
        from evalkit.reporting.html.curves import as_html

        return as_html(self.result, self.runs)

    def show(self) -> None:
        """Print it as the command line does."""
        curve_view.show(self.result)

    def __repr__(self) -> str:
        return safe.terminal(self.findings().to_string(index=False, na_rep=""))

    def _repr_html_(self) -> str:
        return as_html_table(f"Curves over {self.result.axis}", self.findings(), self.notes)


def curve(
    runs: RunLike | Sequence[RunLike] = (),
    *,
    output_path: str | Path = "results",
    import_: str | Path | Sequence[str | Path] = (),
    model: str | None = None,
    limit: float | str | None = None,
    budget: str | None = None,
    config: str | Path | None = None,
    x: str = "step",
    points: str | Path | None = None,
    baseline: RunLike | None = None,
    tasks: str | Sequence[str] = (),
    metric: str | None = None,
    tolerance: float | str = 0.01,
    allow: str | Sequence[str] = (),
    json: str | Path | None = None,
    csv: str | Path | None = None,
    markdown: str | Path | None = None,
    html: str | Path | None = None,
    progress: bool = False,
) -> LearningCurves:
    """Figures of runs along a training run: the best checkpoint, whether the last is worse and since when.

    A folder of a checkpoint, or a pattern such as "out/checkpoint-*", is evaluated on `tasks` first: on `limit`
    documents of each, or on as many as fit `budget` for each checkpoint. Where a run stands on the axis `x` is read
    from the table `points`, its revision, its names or trainer_state.json.
    """
    asked = from_call(CurveArguments, locals())
    comparison.check_allowed(asked.allow)
    if not runs and not asked.import_:
        raise UsageError("no run is named: evalkit curve RUN RUN …, or evalkit curve --import DIR")
    baseline_run = None if asked.baseline is None else opened(asked.baseline, asked.output_path)
    folders, refs = split_checkpoints(runs if isinstance(runs, list | tuple) else [runs])
    if not folders and (asked.model or asked.limit or asked.budget or asked.config):
        raise UsageError(
            "--model, --limit, --budget and --config are for checkpoints, and none is named: these are runs"
        )
    chosen = load_all(refs, asked.output_path)
    broken: list[str] = []
    if folders:
        made = evaluate_checkpoints(
            folders,
            tasks=asked.tasks,
            base=asked.model,
            limit=asked.limit,
            budget=asked.budget,
            compared=[*chosen, *([baseline_run] if baseline_run is not None else [])],
            config=asked.config,
            output_path=asked.output_path,
            progress=progress,
        )
        chosen += made.runs
        broken += made.notes
    for path in asked.import_:
        foreign, odd = results.find_foreign_below(path)
        chosen += foreign
        broken += [f"left out: {problem}" for _, problem in odd]
    drawn = curves.draw_curves(
        _each_once(chosen),
        axis=asked.x,
        table=None if asked.points is None else curves.read_table(asked.points, asked.x),
        baseline=baseline_run,
        tasks=asked.tasks,
        metric=asked.metric,
        headlines=_headlines(),
        allow=asked.allow,
        tolerance=asked.tolerance,
        notes=broken,
    )
    result = LearningCurves(drawn, {run.run_id: run for run in chosen})
    write_all(
        (asked.json, result.json), (asked.csv, result.csv), (asked.markdown, result.markdown), (asked.html, result.html)
    )
    return result


def _each_once(runs: Sequence[results.Run]) -> list[results.Run]:
    return list({(run.path.resolve(), run.run_id): run for run in runs}.values())


def _headlines() -> dict[str, str]:
    """The metric that each shipped benchmark is known by."""
    return {name: card.headline for name, card in load_cards(shipped_folder()).items() if card.headline is not None}
