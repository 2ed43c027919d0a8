"""Writes a gate's verdict for GitHub Actions: job summary, annotations, step outputs, pull request comment."""

from __future__ import annotations

from pathlib import Path

from evalkit import safe
from evalkit.gating import GateResult, TaskVerdict
from evalkit.reporting.gate_view import as_markdown, headline

__all__ = ["MARKER", "annotation_lines", "comment", "outputs", "summary"]

MARKER = "<!-- evalkit-gate -->"
"""An invisible first line of the comment, by which the next run finds and replaces it."""

_MOST_SUMMARY = 1 << 20
"""Bytes of a step's summary; GitHub drops a longer one completely."""
_MOST_COMMENT = 65_000
"""GitHub takes 65,536 characters; bytes are counted, to be safe with Korean."""
_MOST_ANNOTATIONS = 10
"""Annotations of one kind per step; GitHub shows no more."""
_LONGEST_MESSAGE = 2_000


def summary(result: GateResult) -> str:
    """The verdict as markdown, cut to what a job summary can hold."""
    return _cut(as_markdown(result), _MOST_SUMMARY)


def comment(result: GateResult) -> str:
    """The verdict as markdown, cut to what a pull request comment can hold."""
    return _cut(f"{MARKER}\n{as_markdown(result)}", _MOST_COMMENT)


def annotation_lines(result: GateResult) -> list[str]:
    """Workflow commands: an error for each regression and a warning for each CANNOT TELL, at most ten of each."""
    lines = []
    for verdict, kind in (("regression", "error"), ("cannot_tell", "warning")):
        tasks = [task for task in result.tasks if task.verdict == verdict and task.tier != "advisory"]
        lines += [_command(kind, task) for task in tasks[:_MOST_ANNOTATIONS]]
    return lines


def outputs(result: GateResult, comment_path: Path | None = None) -> dict[str, str]:
    """The step's outputs, which later steps of the job can read."""
    values = {"verdict": result.verdict, "exit-code": str(result.exit_code), "headline": safe.line(headline(result))}
    return {**values, "comment": str(comment_path)} if comment_path is not None else values


def _command(kind: str, task: TaskVerdict) -> str:
    title = f"{task.name}: {task.verdict.replace('_', ' ')}"
    message = "; ".join(task.reasons)[:_LONGEST_MESSAGE]
    return f"::{kind} title={_escaped(title, of_property=True)}::{_escaped(message)}"


def _escaped(text: str, *, of_property: bool = False) -> str:
    """The text escaped for a workflow command: a line break in it could start another command."""
    plain = safe.line(text).replace("%", "%25")
    return plain.replace(":", "%3A").replace(",", "%2C") if of_property else plain


def _cut(text: str, most: int) -> str:
    """As many whole lines as fit into `most` bytes, with a note if some are left out."""
    if len(text.encode()) <= most:
        return text
    room = most - 200
    kept: list[str] = []
    for line in text.split("\n"):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    left = text.count("\n") + 1 - len(kept)
    open_part = "\n</details>" if any("<details>" in line for line in kept) else ""
    return "\n".join(kept) + f"{open_part}\n\n_{left:,} more lines are left out here; the report has them._\n"
