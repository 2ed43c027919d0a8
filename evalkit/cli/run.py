"""evalkit run"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from evalkit.api.definitions import EvaluateArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb
from evalkit.errors import VERDICT_EXIT_CODES, EvalkitError

__all__ = ["command", "conclude"]


@verb("run", EvaluateArguments)
def command(given: Given) -> None:
    """Evaluate a model on tasks and keep everything under --output-path.

    \b
    evalkit run --model nano --tasks mini
    evalkit run --model mistral-7b-instruct --tasks mmlu,gsm8k --apply-chat-template
    """
    import evalkit as ek
    from evalkit.api.evaluation import with_file

    policy_from = click.get_current_context().get_parameter_source("policy")
    if policy_from is ParameterSource.ENVIRONMENT and "against" not in given:
        del given["policy"]  # EVALKIT_POLICY may be meant for the gate
    asked = with_file(given)
    asked.pop("log_samples", None)
    quiet = asked.pop("quiet", False)
    conclude(lambda: ek.evaluate(**asked, progress=not quiet), stdout=to_stdout(asked))


command.elsewhere = {
    "--labels": "people cannot have labelled answers that are not there yet. Run, judge (evalkit judge run RUN), let"
    " people label some answers of both runs, then type evalkit gate BASELINE RUN --labels FILE"
}


def conclude(evaluate: Callable[[], Any], *, stdout: bool) -> NoReturn:
    """Show what came out, then leave with the right exit code. `stdout`: a file was sent there instead."""
    problem = None
    try:
        result = evaluate()
    except EvalkitError as error:
        if not error.runs:
            raise
        result, problem = list(error.runs), error
    runs = result if isinstance(result, list) else [result]
    if not stdout:
        _show(runs)
    if problem is not None:
        raise problem
    # A regression outweighs what can't be told, as in the gate.
    codes = [VERDICT_EXIT_CODES.get(str(getattr(run, "verdict", "pass")), 0) for run in runs]
    raise SystemExit(max(codes, key=lambda code: (code == 1, code)))


def _show(runs: list[Any]) -> None:
    from evalkit.api.finishing import show_runs
    from evalkit.api.runs import Run

    if all(isinstance(run, Run) for run in runs):
        show_runs(runs)
    else:
        for run in runs:
            run.show()
