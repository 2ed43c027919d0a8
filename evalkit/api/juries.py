"""Several judges of the same answers are joined into a jury."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import safe
from evalkit.api.jury_definitions import JuryArguments
from evalkit.api.output import as_html_table, write_all
from evalkit.api.runs import Run, RunLike, opened
from evalkit.arguments import from_call
from evalkit.errors import EvalkitError, UsageError
from evalkit.reporting import judge_view
from evalkit.types import JsonObject

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.judging.jury import Jury

__all__ = ["JudgedByJury", "jury"]


@dataclass(frozen=True, eq=False, repr=False)
class JudgedByJury:
    """Runs with the figures of a jury, and what each of its members weighs."""

    runs: tuple[Run, ...]
    result: Jury

    @property
    def notes(self) -> list[str]:
        return list(self.result.notes)

    def frame(self) -> pd.DataFrame:
        """One row for each dimension and member: its weight, and how its scores go with people's."""
        import pandas as pd

        return pd.DataFrame(self._weights())

    def json(self) -> str:
        figures = {run.run_id: judge_view.figures_of(run.stored, self.result.rubric.id) for run in self.runs}
        return judge_view.as_json({"weights": self._weights(), "runs": figures, "notes": self.notes})

    def show(self) -> None:
        """Print it as the command line does."""
        judge_view.show_weights(self._weights())
        for run, judged in zip(self.runs, self.result.judged, strict=True):
            judge_view.show_judged(run.stored, self.result.rubric.id, judged)

    def _weights(self) -> list[JsonObject]:
        return [
            {
                "dimension": name,
                "judge": member,
                "weight": float(learnt.weights.mean[place]),
                "correlation": learnt.correlation[place],
                "jury_correlation": learnt.jury_correlation,
                "labelled": learnt.labelled,
            }
            for name, learnt in self.result.dimensions.items()
            for place, member in enumerate(self.result.members)
        ]

    def _heading(self) -> str:
        return f"A jury of {', '.join(self.result.members)} with {self.result.rubric.id}"

    def __repr__(self) -> str:
        return safe.terminal(f"{self._heading()}\n{self.frame().to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        return as_html_table(self._heading(), self.frame(), self.notes)


def jury(
    *runs: RunLike,
    judges: str | Sequence[str] = (),
    labels: str | Path | None = None,
    rubric: str | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    output_path: str | Path = "results",
    json: str | Path | None = None,
) -> JudgedByJury:
    """Join the judges of the runs into a jury, with weights that people's labels of some answers tell.

    All runs are given together, as only figures of the same jury can be compared. No judge is asked.
    """
    asked = from_call(JuryArguments, {**locals(), "judges": judges or None})
    from evalkit.judging.certificate import find_certificates
    from evalkit.judging.jury import learn_jury
    from evalkit.judging.records import read_labels
    from evalkit.judging.rubric import find_rubric
    from evalkit.judging.run import write_judged
    from evalkit.reporting.run_view import report

    if not runs:
        raise UsageError("no run is named: evalkit judge jury RUN… --judges A,B --labels FILE --rubric ID")
    records = list({record.path: record for record in (opened(run, asked.output_path) for run in runs)}.values())
    for record in records:
        if record.imported_from:
            raise UsageError(
                f"{record.path} is a run of {record.imported_from}; judgments are written into runs of evalkit"
            )
    chosen = find_rubric(asked.rubric, asked.include_path)
    learnt = learn_jury(records, chosen, asked.judges, read_labels(asked.labels), asked.labels)
    calibration = partial(find_certificates, asked.output_path, chosen.hash)
    written = [
        write_judged(record, judged, calibration, report) for record, judged in zip(records, learnt.judged, strict=True)
    ]
    made = JudgedByJury(tuple(map(Run, written)), learnt)
    write_all((asked.json, made.json))
    for judged in learnt.judged:
        try:
            judged.check()
        except EvalkitError as error:
            error.runs = (made,)
            raise
    return made
