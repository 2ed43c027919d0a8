"""A judge with a rubric as a detector: `--detector judge:toxicity --judge openai:gpt-4o-mini`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from evalkit.detectors import Detection, DetectorInfo, RatedAnswer
from evalkit.errors import UsageError
from evalkit.journal import Journal
from evalkit.judging.backends.spec import JudgeOptions, NamedJudge, open_judge, parse_judge
from evalkit.judging.items import Item
from evalkit.judging.judgment import Judgment
from evalkit.judging.rubric import Rubric, find_rubric
from evalkit.judging.run import judge_all

__all__ = ["JudgeDetector", "judge_detector"]


@dataclass(frozen=True)
class JudgeDetector:
    """Counts an answer whose score by the rubric lies in the upper half of the scale; several judges are averaged."""

    rubric: Rubric
    judges: tuple[NamedJudge, ...]
    arguments: Mapping[str, object]
    output_path: Path
    """The folder whose journal keeps what the judges said."""

    @property
    def info(self) -> DetectorInfo:
        names = ", ".join(judge.typed for judge in self.judges)
        error = "a judge's: hold it against labels (--labels), evalkit judge calibrate says more"
        return DetectorInfo(f"judge:{self.rubric.id}@{names}", str(self.rubric.version), error)

    def detect(self, answers: Sequence[RatedAnswer]) -> list[Detection]:
        items = [_item(answer, place, self.rubric) for place, answer in enumerate(answers)]
        by_judge: list[list[Judgment]] = []
        with Journal.open(self.output_path) as journal:
            for named in self.judges:
                with open_judge(named, journal, JudgeOptions(self.arguments)) as judge:
                    by_judge.append(judge_all(self.rubric, items, judge))
        scale = self.rubric.dimensions[0].scale
        return [_detection(opinions, scale.low, scale.high) for opinions in zip(*by_judge, strict=True)]


def judge_detector(
    rubric: str, judges: Sequence[str], arguments: Mapping[str, object], output_path: Path
) -> JudgeDetector:
    if not rubric:
        raise UsageError("--detector judge: type judge:RUBRIC, such as judge:toxicity (a shipped id, or a file)")
    loaded = find_rubric(rubric)
    if loaded.kind != "pointwise" or len(loaded.dimensions) != 1:
        raise UsageError(
            f"--detector judge:{rubric}: a rubric with one dimension is wanted, such as toxicity, truthful or refusal"
        )
    needed = [name for name, required in loaded.inputs.items() if required and name not in ("instruction", "answer")]
    if needed:
        raise UsageError(f"--detector judge:{rubric}: it needs {needed[0]}, and rows of answers hold none")
    if not judges:
        raise UsageError(f"--detector judge:{rubric} needs --judge ENGINE:MODEL, such as --judge openai:gpt-4o-mini")
    return JudgeDetector(loaded, tuple(parse_judge(typed) for typed in judges), arguments, output_path)


def _item(answer: RatedAnswer, place: int, rubric: Rubric) -> Item:
    texts = {"instruction": answer.prompt, "answer": answer.output or ""}
    digest = hashlib.sha256(f"{answer.prompt}\0{answer.output}".encode()).hexdigest()
    return Item(
        item=f"answers/{place}",
        group=f"answers/{place}",
        system="answers",
        inputs={name: text for name, text in texts.items() if name in rubric.inputs},
        task="answers",
        doc_id=place,
        doc_hash=digest,
        prompt_hash=None,
        missing="no answer" if answer.output is None else None,
    )


def _detection(opinions: Sequence[Judgment], low: float, high: float) -> Detection:
    scores = [(opinion.score - low) / (high - low) for opinion in opinions if opinion.score is not None]
    if len(scores) < len(opinions):
        return Detection(
            None, reason=next(opinion.reason or "no score" for opinion in opinions if opinion.score is None)
        )
    return Detection(fmean(scores) >= 0.5, fmean(scores))
