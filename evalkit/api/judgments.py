"""A run's answers are judged by a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.api.definitions import JudgeArguments
from evalkit.api.estimates import Estimate
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import EvalkitError, UsageError
from evalkit.reporting import judge_view
from evalkit.types import Arguments

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.judging.run import Judged

__all__ = ["JudgedRun", "judge"]


@dataclass(frozen=True, eq=False, repr=False)
class JudgedRun:
    """A run with the figures that judges gave it."""

    run: Run
    result: Judged

    @property
    def coverage(self) -> float:
        """The share of answers that got a score."""
        return self.result.coverage

    @property
    def warnings(self) -> list[str]:
        return list(self.result.warnings)

    def figures(self) -> pd.DataFrame:
        """The figures of this rubric, as `Run.figures` has them."""
        frame = self.run.figures()
        rubric = self.result.rubric.id
        judged = [metric.partition(",")[2].partition("@")[0] == rubric for metric in frame["metric"]]
        return frame[judged].reset_index(drop=True)

    def frame(self) -> pd.DataFrame:
        """One row for each judgment."""
        import pandas as pd

        rows = [
            {
                "judge": judge.name,
                "task": judgment.item.task,
                "doc_id": judgment.item.doc_id,
                "dimension": judgment.dimension,
                "score": judgment.score,
                "reason": judgment.reason,
            }
            for judge, judgments in zip(self.result.judges, self.result.by_judge, strict=True)
            for judgment in judgments
        ]
        return pd.DataFrame(rows)

    def json(self) -> str:
        content = self.run.stored.record.results.as_json()
        figures = {part: content.get(part, {}) for part in ("tasks", "groups")}
        return judge_view.as_json({"run": self.run.run_id, "coverage": self.coverage, **figures})

    def show(self) -> None:
        """Print it as the command line does."""
        judge_view.show_judged(self.run.stored, self.result.rubric.id, self.result)

    def _heading(self) -> str:
        judges = ", ".join(judge.name for judge in self.result.judges)
        return f"{self.run.model}, judged by {judges} with {self.result.rubric.id}"

    def __repr__(self) -> str:
        frame = self.figures()[["task", "metric", "value", "stderr", "low", "high", "n"]]
        return safe.terminal(f"{self._heading()}\n{frame.to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        return as_html_table(self._heading(), self.figures(), self.warnings)


def judge(
    run: RunLike,
    *,
    rubric: str | None = None,
    judge: str | Sequence[str] = (),
    include_path: str | Path | Sequence[str | Path] = (),
    judge_args: str | Arguments | None = None,
    tasks: str | Sequence[str] = (),
    input: str | Sequence[str] | Mapping[str, str] | None = None,
    against: RunLike | None = None,
    reference: str | Path | None = None,
    limit: int | None = None,
    max_usd: float | None = None,
    dry_run: bool = False,
    output_path: str | Path = "results",
    journal: str | Path | None = None,
    json: str | Path | None = None,
    progress: bool = False,
    replay: bool = False,
) -> JudgedRun | Any:
    """Judge the answers of a run and put the figures beside its others.

    `replay` takes only answers that are kept, and calls no model. `dry_run` gives an `Estimate` instead.
    """
    asked = from_call(JudgeArguments, {**locals(), "judge": judge or None})
    record = opened(run, asked.output_path)
    if record.imported_from:
        raise UsageError(
            f"{record.path} is a run of {record.imported_from}; judgments are written into runs of evalkit"
        )
    return _judge(record, asked, progress=progress, ask=not replay)


def _judge(record: Any, asked: JudgeArguments, *, progress: bool, ask: bool) -> Any:
    from evalkit.judging.backends.spec import parse_judge
    from evalkit.judging.rubric import find_rubric
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner.judge_cost import estimate
    from evalkit.runner.judging import JudgeRequest, judge_run, prepare_items

    rubric = find_rubric(asked.rubric, asked.include_path)
    if asked.against is not None and asked.reference is not None:
        raise UsageError("--against and --reference both name the other answers: give one")
    if asked.reference is not None and rubric.kind != "pairwise":
        raise UsageError(f"--reference is for comparisons, and rubric {rubric.id} rates single answers: try pairwise")
    arguments = {**asked.judge_args, **({} if asked.max_usd is None else {"max_usd": asked.max_usd})}
    request = JudgeRequest(
        rubric=rubric,
        judges=[parse_judge(typed) for typed in asked.judge],
        output_path=asked.output_path,
        journal=asked.journal,
        arguments=arguments,
        tasks=asked.tasks,
        fields=asked.input,
        against=None if asked.against is None else opened(asked.against, asked.output_path),
        reference=asked.reference,
        ask=ask,
        limit=asked.limit,
        report=report,
    )
    if asked.dry_run:
        cost = Estimate(estimate(rubric, request.judges, prepare_items(record, request), arguments.get("price")))
        write_all((asked.json, cost.json))
        return cost
    with Progress.open(quiet=not progress) as shown:
        written, judged = judge_run(record, request, shown)
    judged_run = JudgedRun(Run(written), judged)
    write_all((asked.json, judged_run.json))
    try:
        judged.check()
    except EvalkitError as error:
        error.runs = (judged_run,)
        raise
    return judged_run
