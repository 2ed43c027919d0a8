"""Hands a verdict to the GitHub Actions job that it runs in."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from evalkit.errors import OutputError
from evalkit.gating import GateResult
from evalkit.reporting import github
from evalkit.reporting.tables import note

__all__ = ["hand_to_github"]


def hand_to_github(result: GateResult, environ: Mapping[str, str] = os.environ) -> None:
    """Write the job summary, the step's outputs and the comment's text, and print annotations, where there is a job."""
    summary, outputs = environ.get("GITHUB_STEP_SUMMARY"), environ.get("GITHUB_OUTPUT")
    if not summary and not outputs:
        note("--github: neither GITHUB_STEP_SUMMARY nor GITHUB_OUTPUT is set, so there is no job to write to")
        return
    if summary:
        _append(summary, github.summary(result))
    if outputs:
        text = None
        if environ.get("RUNNER_TEMP"):
            text = Path(environ["RUNNER_TEMP"]) / "evalkit-comment.md"
            _append(str(text), github.comment(result), mode="w")
        _append(outputs, "".join(_assignment(name, value) for name, value in github.outputs(result, text).items()))
    for line in github.annotation_lines(result):
        print(line, file=sys.stderr)


def _assignment(name: str, value: str) -> str:
    """With a fresh delimiter, so that no value can set another output."""
    mark = f"evalkit-{uuid.uuid4().hex}"
    return f"{name}<<{mark}\n{value}\n{mark}\n"


def _append(path: str, text: str, mode: str = "a") -> None:
    try:
        with Path(path).open(mode, encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); it was named by GitHub's environment"
        ) from None
