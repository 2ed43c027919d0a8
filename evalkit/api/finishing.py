"""What came out of the runner, as runs that were written or as an error that carries them."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.api.output import write_all
from evalkit.api.runs import Run
from evalkit.errors import AskedWrong, CouldNotDo, EvalkitError, Interrupted
from evalkit.reporting import run_view
from evalkit.runner import Outcome

__all__ = ["finish", "show_runs"]

_ERRORS: dict[int, type[EvalkitError]] = {130: Interrupted, 2: AskedWrong}


def finish(outcomes: Sequence[Outcome], json: str | None, markdown: str | None) -> list[Run]:
    """The runs that were written, put into the files asked for; an error where one did not come to its end."""
    runs = [Run(outcome.run) for outcome in outcomes if outcome.run is not None]
    if runs:
        records = [run.stored for run in runs]
        write_all(
            (json, lambda: run_view.as_json(records)),
            (markdown, lambda: run_view.as_markdown(records)),
        )
    troubles = [outcome for outcome in outcomes if outcome.problem]
    if troubles:
        worst = max(outcome.exit_code for outcome in troubles)
        error = _ERRORS.get(worst, CouldNotDo)("\n".join(str(outcome.problem) for outcome in troubles))
        error.runs = tuple(runs)
        raise error
    return runs


def show_runs(runs: Sequence[Run]) -> None:
    """Print them as the command line does: one table each, and one of all where there are several."""
    run_view.show([run.stored for run in runs])
