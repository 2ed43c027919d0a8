"""evalkit score"""

from __future__ import annotations

import click

from evalkit.api.definitions import ScoreArguments
from evalkit.arguments import Given
from evalkit.cli.options import to_stdout, verb
from evalkit.cli.run import conclude

__all__ = ["command"]


@verb("score", ScoreArguments)
@click.argument("answers", metavar="FILE.jsonl|RUN")
def command(given: Given, answers: str) -> None:
    """Score recorded answers without a model: evalkit's JSONL, lm-eval's samples, or a run.

    What is missing stays missing: figures cover the documents that have an answer.
    """
    import evalkit as ek

    quiet = given.pop("quiet", False)
    conclude(lambda: ek.score(answers, **given, progress=not quiet), stdout=to_stdout(given))
