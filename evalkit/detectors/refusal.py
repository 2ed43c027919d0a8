"""Detects refusals by string matching."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.checks.refusal import refusal_in
from evalkit.detectors.detector import Detection, DetectorInfo, RatedAnswer

__all__ = ["make"]


class _Matcher:
    info = DetectorInfo(
        "refusal",
        "1",
        "string matching; on XSTest's human labels its sensitivity differs by tens of points from model to model",
    )

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        return [self._one(answer.output) for answer in answers]

    def _one(self, output: str | None) -> Detection:
        if output is None or not output.strip():
            return Detection(None, reason="no answer")
        kind = refusal_in(output)
        return Detection(kind is not None, reason=f"{kind} refusal" if kind else "")


def make(setting: str) -> _Matcher:
    return _Matcher()
