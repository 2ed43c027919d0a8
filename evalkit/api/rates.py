"""How often answers refuse, insult or otherwise fall foul of a detector."""

from __future__ import annotations

import json as json_format
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.api.output import as_html_table, write_all, write_to
from evalkit.api.rate_definitions import RateArguments
from evalkit.arguments import from_call
from evalkit.detectors import Detector, detector_named
from evalkit.detectors.answers import AnswerFile, read_answers, read_labels
from evalkit.detectors.change import AnswerPairs, Changes, changes_of, pair_answers
from evalkit.detectors.detector import Detection
from evalkit.detectors.labelling import check_labels
from evalkit.detectors.rated import Rated, rate_answers
from evalkit.detectors.rates import Rate
from evalkit.errors import UsageError
from evalkit.reporting import rate_view
from evalkit.types import Arguments

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RatedAnswers", "rate"]


@dataclass(frozen=True, eq=False, repr=False)
class RatedAnswers:
    """Rates of one file of answers."""

    result: Rated

    @property
    def n(self) -> int:
        return self.result.n

    @property
    def raw(self) -> Rate:
        return self.result.raw

    @property
    def changes(self) -> Changes | None:
        """Against the answers of `before`, paired; None without any."""
        return self.result.changes

    def frame(self) -> pd.DataFrame:
        """One row for each rate: which, of how many answers, its value and its interval."""
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in rate_view.lines(self.result)])

    def json(self) -> str:
        return json_format.dumps(rate_view.content(self.result), ensure_ascii=False, indent=1)

    def markdown(self) -> str:
        return rate_view.as_markdown(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        rate_view.show(self.result)

    def __repr__(self) -> str:
        return rate_view.as_text(self.result)

    def _repr_html_(self) -> str:
        return as_html_table(rate_view.heading(self.result), self.frame(), rate_view.remarks(self.result))


def rate(
    file: str | Path,
    *,
    detector: str | None = None,
    labels: str | Path | None = None,
    model: str | None = None,
    before: str | Path | None = None,
    perplexity_under: str | None = None,
    model_args: str | Arguments | None = None,
    by: str | None = None,
    min_coverage: float = 0.9,
    sample: int = 200,
    to_label: str | Path | None = None,
    judge: str | Sequence[str] = (),
    judge_args: str | Arguments | None = None,
    output_path: str | Path = "results",
    json: str | Path | None = None,
    markdown: str | Path | None = None,
) -> RatedAnswers:
    """Say how often a detector finds something in a file of answers; with people's labels the rate is corrected.

    The file has rows of `{"id", "prompt", "output"}`, or is a run's own `samples/TASK.jsonl`. `before`: such a file of
    the answers to the same prompts before a change; the result then has `changes`, over pairs of answers.
    """
    asked = from_call(RateArguments, locals())
    if asked.detector is None:
        raise UsageError("--detector NAME is missing, such as --detector refusal")
    if asked.perplexity_under is not None and asked.before is None:
        raise UsageError("--perplexity-under MODEL needs --before FILE.jsonl: it compares two files of answers")
    if asked.model_args and asked.perplexity_under is None:
        raise UsageError("--model-args is of --perplexity-under MODEL, which is missing; a judge's is --judge-args")
    chosen = detector_of(asked, asked.detector)
    # All files are read and held against each other before a detector is paid for its verdicts.
    answers = read_answers(Path(file), asked.by)
    paired = None if asked.before is None else pair_answers(read_answers(asked.before), answers)
    labelled = None if asked.labels is None else read_labels(asked.labels)
    if labelled is not None:
        check_labels(answers, labelled, str(asked.labels), asked.model)
    if asked.to_label is not None:
        write_to(str(asked.to_label), _to_label(answers, asked.sample, asked.model))
    detections = chosen.detect(answers.answers)
    rated = rate_answers(
        answers,
        chosen.info,
        detections,
        labelled,
        str(asked.labels),
        asked.min_coverage,
        groups=asked.by is not None,
    )
    if paired is not None:
        rated = replace(rated, changes=_changes(asked, chosen, paired, detections))
    result = RatedAnswers(rated)
    write_all((asked.json, result.json), (asked.markdown, result.markdown))
    return result


def _changes(asked: RateArguments, detector: Detector, paired: AnswerPairs, detections: Sequence[Detection]) -> Changes:
    if asked.perplexity_under is None:
        return changes_of(paired, detections, detector, asked.min_coverage)
    from evalkit.runner.perplexity import ModelLogProbability

    scored = ModelLogProbability(asked.perplexity_under, asked.model_args, asked.output_path)
    changes = changes_of(paired, detections, detector, asked.min_coverage, scored)
    return replace(changes, model=asked.perplexity_under)


def detector_of(asked: RateArguments, typed: str) -> Detector:
    """The detector that was typed; a judge's is opened by the runner."""
    name, _, rubric = typed.partition(":")
    if name == "self-consistency":
        from evalkit.runner.consistency import consistency_detector

        return consistency_detector(rubric, asked.judge, asked.judge_args, asked.output_path)
    if name != "judge":
        if asked.judge:
            raise UsageError(
                f"--judge goes with --detector judge:RUBRIC or self-consistency, and this is --detector {typed}"
            )
        return detector_named(typed)
    from evalkit.runner.detecting import judge_detector

    return judge_detector(rubric, asked.judge, asked.judge_args, asked.output_path)


def _to_label(answers: AnswerFile, size: int, model: str | None) -> str:
    """A random sample, the same every time, in random order; a label goes where null stands."""
    given = [place for place, answer in enumerate(answers.answers) if answer.output is not None]
    chosen = random.Random(0).sample(given, min(size, len(given)))
    lines = []
    for place in chosen:
        answer, whose = answers.answers[place], model or answers.models[place]
        row = {"id": answer.id, "label": None, "prompt": answer.prompt, "output": answer.output}
        lines.append(json_format.dumps({**row, "model": whose} if whose else row, ensure_ascii=False))
    return "\n".join(lines) + "\n"
