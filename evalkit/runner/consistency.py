"""Self-consistency as a detector: does a model say the same when it is asked again? (Manakul et al. 2023, SelfCheckGPT)

Each sentence of an answer is held against the other answers to its prompt. Supported counts 0, not supported 1, a reply
of the judge that says neither ½; the answer's score is the mean over sentences and other answers. Above ½ it counts as
made up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from evalkit.checks.sentences import sentences
from evalkit.detectors import Detection, DetectorInfo, RatedAnswer
from evalkit.errors import UsageError
from evalkit.journal import Journal
from evalkit.judging.backends.spec import JudgeOptions, NamedJudge, open_judge, parse_judge
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judgment
from evalkit.judging.rubric import Rubric, find_rubric
from evalkit.judging.run import judge_all

__all__ = ["ConsistencyDetector", "consistency_detector"]

_OTHERS = 5
"""Other answers that a sentence is held against, at most."""
_MADE_UP = 0.5


@dataclass(frozen=True)
class ConsistencyDetector:
    rubric: Rubric
    judge: NamedJudge
    arguments: Mapping[str, object]
    output_path: Path
    """The folder whose journal keeps what the judge said."""

    @property
    def info(self) -> DetectorInfo:
        error = "what a model makes up each time alike passes; hold it against labels (--labels)"
        return DetectorInfo(f"self-consistency@{self.judge.typed}", str(self.rubric.version), error)

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        pairs = list(_pairs(answers))
        if not pairs:
            raise UsageError(
                "--detector self-consistency: no prompt has several answers with sentences; sample some, such as"
                " evalkit run --repeats 5 --gen-kwargs temperature=1.0"
            )
        items = [_item(number, sentence, context) for number, (_, sentence, context) in enumerate(pairs)]
        with (
            Journal.open(self.output_path) as journal,
            open_judge(self.judge, journal, JudgeOptions(self.arguments)) as judge,
        ):
            opinions = judge_all(self.rubric, items, judge)
        scores: dict[int, list[float | None]] = {}
        for (place, _, _), opinion in zip(pairs, opinions, strict=True):
            scores.setdefault(place, []).append(unsupported(opinion))
        return [_detection(answer, scores.get(place)) for place, answer in enumerate(answers)]


def consistency_detector(
    setting: str, judges: Sequence[str], arguments: Mapping[str, object], output_path: Path
) -> ConsistencyDetector:
    """`setting`: `ko` for Korean instructions to the judge."""
    if setting not in ("", "ko"):
        raise UsageError(f"--detector self-consistency:{setting}: only :ko may stand behind it")
    if len(judges) != 1:
        raise UsageError(
            "--detector self-consistency needs one --judge ENGINE:MODEL, such as --judge openai:gpt-4o-mini"
        )
    rubric = find_rubric("supported-ko" if setting else "supported")
    return ConsistencyDetector(rubric, parse_judge(judges[0]), arguments, output_path)


def unsupported(opinion: Judgment) -> float | None:
    """1 less the score; ½ for a reply that says neither, None for a call without a reply."""
    if opinion.score is not None:
        return 1.0 - opinion.score
    return _MADE_UP if opinion.responses else None


def _pairs(answers: Sequence[RatedAnswer]) -> Iterator[tuple[int, str, str]]:
    """The place of each answer, each of its sentences, and another answer to its prompt."""
    by_prompt: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        if answer.output is not None and answer.output.strip():
            by_prompt.setdefault(answer.prompt, []).append(place)
    for places in by_prompt.values():
        for number, place in enumerate(places):
            following = [*places[number + 1 :], *places[:number]][:_OTHERS]
            for sentence in sentences(str(answers[place].output)):
                for other in following:
                    yield place, sentence, str(answers[other].output)


def _item(number: int, sentence: str, context: str) -> Item:
    digest = hashlib.sha256(f"{sentence}\0{context}".encode("utf-8", "replace")).hexdigest()
    return Item(
        item=f"sentences/{number}",
        group=f"sentences/{number}",
        system="answers",
        inputs={"answer": sentence, "context": context},
        task="sentences",
        doc_id=number,
        doc_hash=digest,
        prompt_hash=None,
    )


def _detection(answer: RatedAnswer, scores: Sequence[float | None] | None) -> Detection:
    if answer.output is None or not answer.output.strip():
        return Detection(None, reason="no answer")
    if not scores:
        return Detection(None, reason="no other answer to its prompt")
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return Detection(None, reason="the judge did not answer")
    return Detection(fmean(known) > _MADE_UP, fmean(known))
