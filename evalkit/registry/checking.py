"""`checks:` in a task file: an answer passes if it passes every check of its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.checks import Outcome, check, needs_sandbox, programs, validate
from evalkit.checks.outcome import Spec
from evalkit.errors import ConfigError
from evalkit.registry.conversation import Conversation, transcript
from evalkit.registry.grading import Answers, Grader
from evalkit.registry.rows import Document, Given, found_no_answer, give, make_row
from evalkit.registry.sampling import only, several
from evalkit.types import JsonObject, Program, RawDocument, Row, Samples, Verdict

__all__ = ["METRICS", "CheckGrader", "CheckSpec"]

METRICS = ("checks_strict", "checks_loose", "checks_share")
"""Whether all checks pass; whether all pass in a lenient reading; the share of checks that pass."""


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """`checks:` of a task file: the field of the documents that lists them, or one list for all documents."""

    field: str | None = None
    shared: tuple[Spec, ...] = ()

    @classmethod
    def read(cls, value: Any, where: str) -> CheckSpec:
        if isinstance(value, str):
            return cls(field=value)
        if not isinstance(value, list) or not value:
            raise ConfigError(f"{where}: checks: a field's name or a list of checks is wanted, this is {value!r:.80}")
        for number, spec in enumerate(value, 1):
            validate(spec, f"{where}: checks: {number}")
        return cls(shared=tuple(value))

    def of(self, doc: RawDocument) -> Sequence[Spec]:
        return self.shared if self.field is None else doc[self.field]

    def validate(self, docs: Sequence[RawDocument], where: str) -> None:
        """Validate every check of every document, before a model is loaded."""
        for number, doc in enumerate(docs):
            place = f"{where}: document {number}: {self.field or 'checks'}"
            listed = self.shared if self.field is None else doc.get(self.field)
            if not isinstance(listed, list | tuple) or not listed:
                raise ConfigError(f"{place}: a list of checks is wanted, this is {listed!r:.80}")
            for spec in listed:
                validate(spec, place, doc)

    def run_code(self, docs: Sequence[RawDocument]) -> bool:
        return any(needs_sandbox(spec) for doc in docs for spec in self.of(doc))


@dataclass(frozen=True, slots=True)
class _Checked:
    """One answer after the filters, and the outcome of each of its document's checks."""

    answer: str
    outcomes: tuple[Outcome, ...]

    def metrics(self) -> dict[str, float]:
        strict = [bool(outcome.passed_strict) for outcome in self.outcomes]
        return {
            "checks_strict": float(all(strict)),
            "checks_loose": float(all(outcome.passed_loose for outcome in self.outcomes)),
            "checks_share": sum(strict) / len(strict),
        }


@dataclass(frozen=True, slots=True)
class CheckGrader(Grader):
    """Judges the last answer of each document by the document's checks; of several answers, each by itself."""

    checks: CheckSpec = CheckSpec()
    conversation: Conversation | None = None

    def programs(self, document: Document, answers: Answers) -> list[Program] | None:
        given = give(document, answers)
        if given.missing or given.error is not None:
            return []
        try:
            submitted = []
            for ensemble in self.task._filters:
                for place in _ended(given):
                    answer = self._answer(document, only(given, place), ensemble)
                    submitted += [
                        p for spec in self.checks.of(document.doc) for p in programs(spec, answer, document.doc)
                    ]
            return submitted
        except Exception:
            return []  # `score` will raise the same error and report it

    def score(
        self,
        document: Document,
        answers: Answers,
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        from evalkit.registry import lmeval

        given = give(document, answers)
        if given.missing or given.error is not None:
            return [self._null_row(document, given, name, given.error, cut_tokens) for name in self.filters]
        rows, rest = [], list(verdicts or ())
        for ensemble in self.task._filters:
            try:
                checked: dict[int, _Checked] = {}
                for place in _ended(given):
                    answer = self._answer(document, only(given, place), ensemble)
                    outcomes = []
                    for spec in self.checks.of(document.doc):
                        wanted = len(programs(spec, answer, document.doc))
                        mine, rest = rest[:wanted], rest[wanted:]
                        outcomes.append(check(spec, answer, document.doc, mine))
                    checked[place] = _Checked(answer, tuple(outcomes))
            except Exception as error:
                rows.append(self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens))
                continue
            rows.append(self._checked_row(document, given, ensemble.name, checked, cut_tokens))
        return rows

    @property
    def scores_together(self) -> bool:
        return False

    def _answer(self, document: Document, given: Given, ensemble: Any) -> str:
        """The last turn's answer, after the filters."""
        from evalkit.registry import lmeval

        with lmeval.rendering():
            answer = self._filtered(ensemble, [(document, given)])[0][-1]
        while isinstance(answer, list | tuple):
            answer = answer[0] if answer else ""
        return str(answer)

    def _checked_row(
        self, document: Document, given: Given, name: str, checked: Mapping[int, _Checked], cut_tokens: int
    ) -> Row:
        """The row's own metrics are of the first answer, as those of lm-eval's tasks are."""
        broken = next((outcome for answer in checked.values() for outcome in answer.outcomes if outcome.error), None)
        first = checked.get(0)
        if first is None:
            row = self._null_row(document, given, name, None, cut_tokens)
        else:
            row = make_row(
                document,
                given,
                name,
                [first.answer],
                first.metrics() if broken is None else dict.fromkeys(METRICS),
                unparsed=found_no_answer([first.answer], frozenset()),
                error=f"check {broken.kind}: {broken.error}" if broken is not None else None,
                cut_tokens=cut_tokens,
                code={"checks": [_told(outcome) for outcome in first.outcomes], **self._conversation(document, given)},
            )
        if broken is not None or not several(document, given):
            return row
        places = range(len(given.responses[0]))
        scores = (checked[place].metrics()[self.headline] if place in checked else None for place in places)
        votes = (checked[place].answer.strip() or None if place in checked else None for place in places)
        return replace(row, samples=Samples(self.headline, tuple(scores), tuple(votes)))

    def _conversation(self, document: Document, given: Given) -> JsonObject:
        """The conversation with the model's answers, if it has more than one turn."""
        if self.conversation is None:
            return {}
        before = [str(samples[0]) for samples in given.responses[:-1]]
        turns = transcript(self.conversation, document.doc, before)
        return {"conversation": turns} if len(turns) > 1 else {}


def _ended(given: Given) -> list[int]:
    """The numbers of the answers that came to their end."""
    width = min((len(answers) for answers in given.responses), default=0)
    return [place for place in range(width) if given.ended(place)]


def _told(outcome: Outcome) -> dict[str, str | bool | None]:
    record = {"kind": outcome.kind, "strict": outcome.passed_strict, "loose": outcome.passed_loose}
    return {**record, **{key: text for key in ("reason", "error") if (text := getattr(outcome, key))}}
