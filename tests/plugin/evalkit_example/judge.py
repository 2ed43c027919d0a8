"""A judge that likes capital letters: `--judge capitals:any`."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.journal import Journal
from evalkit.judging.backends.scalar import ScalarJudge, ScalarRequest
from evalkit.judging.backends.spec import JudgeOptions, JudgeSpec, NamedJudge, OpenJudge
from evalkit.judging.judgment import Judge


def score(requests: Sequence[ScalarRequest]) -> list[float | str]:
    """A number for each answer, or the reason why there is none."""
    return [_score(request) for request in requests]


def _score(request: ScalarRequest) -> float | str:
    letters = [letter for letter in request.inputs["answer"] if letter.isalpha()]
    if not letters:
        return "the answer has no letter"
    share = sum(letter.isupper() for letter in letters) / len(letters)
    scale = request.dimension.scale
    return scale.low + share * (scale.high - scale.low)


def open_capitals(named: NamedJudge, journal: Journal, options: JudgeOptions) -> OpenJudge:
    # The fingerprint is part of the key of every kept score: of a model, it is taken of the weights.
    judge = Judge(named.typed, fingerprint=f"capitals/1:{named.model}")
    return ScalarJudge(judge, journal, score, options)


SPEC = JudgeSpec(name="capitals", open=open_capitals)
