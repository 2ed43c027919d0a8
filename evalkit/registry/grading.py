"""Makes a document's rows from its answers, with lm-eval's filters and metrics or with verdicts on programs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from evalkit.registry.code import CodeSpec
from evalkit.registry.language import IN_KOREAN, in_korean
from evalkit.registry.rows import Document, Given, arguments, code_columns, first_text, found_no_answer, give, make_row
from evalkit.registry.sampling import scored_alone, several
from evalkit.scoring import passk
from evalkit.timelimit import at_most
from evalkit.types import Answer, Program, RawValues, Row, Samples, Verdict

__all__ = ["Answers", "Grader", "Scorer"]

Answers: TypeAlias = "Sequence[Sequence[Answer | None]]"
"""For each request of a document, its `repeats` answers; None for a missing one."""

_SECONDS = 10.0
"""For the regular expressions of a task file on the answers to one document. They take milliseconds."""
_TYPES = {"score": "loglikelihood", "rolling": "loglikelihood_rolling", "generate": "generate_until"}


@dataclass(frozen=True, slots=True)
class Grader:
    """Scores the documents of one task, each by itself. An exception becomes the row's `error`."""

    task: Any
    """lm-eval's task object."""
    name: str
    metric_names: tuple[str, ...]
    repeats: int
    code: CodeSpec | None
    own_scorer: bool = False
    """Whether a scorer of evalkit reads the answers. An answer without any metric is then unreadable."""
    reads_all: bool = False
    """Whether that scorer reads all answers to a document together. Then none is scored alone."""
    answers_in: str | None = None
    """The language that answers should be in, if the share of such answers is a figure of the task."""
    headline: str = ""
    """The metric whose mean over several answers is a figure too."""

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(ensemble.name for ensemble in self.task._filters)

    def programs(self, document: Document, answers: Answers) -> list[Program] | None:
        """The programs that the sandbox runs before `score`, in order of filters, requests and samples."""
        if self.code is None:
            return None
        given = give(document, answers)
        if given.missing or given.error is not None or not _any_ended(given):
            return []
        try:
            return [p for _, programs in self._programs(document, given) for p in programs]
        except Exception:
            return []

    def _programs(self, document: Document, given: Given) -> list[tuple[str, list[Program]]]:
        """For each filter, its name and the programs in its output."""
        from evalkit.registry import lmeval

        assert self.code is not None
        made = []
        with lmeval.rendering():
            for ensemble in self.task._filters:
                filtered = self._filtered(ensemble, [(document, given)])[0]
                completions = [text for part in filtered for text in (part if isinstance(part, list) else [part])]
                programs = [self.code.program_of(document.doc, str(text), lmeval.render) for text in completions]
                made.append((ensemble.name, programs))
        return made

    def score(
        self,
        document: Document,
        answers: Answers,
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        """One row per filter. An exception becomes the row's `error` and affects no other document."""
        from evalkit.registry import lmeval

        given = give(document, answers)
        if given.missing or given.error is not None:
            return [self._null_row(document, given, name, given.error, cut_tokens) for name in self.filters]
        if self.code is not None:
            return self._code_rows(document, given, verdicts or (), cut_tokens)
        rows = []
        if not given.ended(0) and not several(document, given):
            return [self._null_row(document, given, name, None, cut_tokens) for name in self.filters]
        for ensemble in self.task._filters:
            try:
                with lmeval.rendering():
                    filtered = self._filtered(ensemble, [(document, given)])[0]
            except Exception as error:
                rows.append(self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens))
                continue
            row = self._row(document, given, ensemble, filtered, cut_tokens)
            if several(document, given) and not self.reads_all:
                row = self._sampled([(document, given)], ensemble, [row])[0]
            rows.append(row)
        return rows

    def score_together(self, waiting: Sequence[tuple[Document, Answers, int]]) -> list[Row]:
        """Like `score`, but each filter runs once over all documents that have answers."""
        from evalkit.registry import lmeval

        given = [(document, give(document, answers), cut) for document, answers, cut in waiting]
        sound = [(document, g) for document, g, _ in given if not g.missing and g.error is None]
        rows: dict[tuple[int, str], Row] = {}
        for ensemble in self.task._filters:
            error, filtered = None, []
            try:
                with lmeval.rendering():
                    filtered = self._filtered(ensemble, sound)
            except Exception as raised:
                error = lmeval.say(raised)
            parts_of = {id(document): parts for (document, _), parts in zip(sound, filtered, strict=False)}
            made = [
                self._row(document, g, ensemble, parts_of[id(document)], cut)
                if id(document) in parts_of
                else self._null_row(document, g, ensemble.name, g.error or (None if g.missing else error), cut)
                for document, g, cut in given
            ]
            places = [
                i for i, (document, g, _) in enumerate(given) if id(document) in parts_of and several(document, g)
            ]
            sampled = self._sampled([given[i][:2] for i in places], ensemble, [made[i] for i in places])
            for place, row in zip(places, sampled, strict=True):
                made[place] = row
            rows |= {(document.doc_id, ensemble.name): row for (document, _, _), row in zip(given, made, strict=True)}
        return [rows[document.doc_id, name] for document, _, _ in given for name in self.filters]

    def _row(self, document: Document, given: Given, ensemble: Any, filtered: list[Any], cut_tokens: int) -> Row:
        from evalkit.registry import lmeval

        if not given.ended(0):  # of several answers lm-eval's own figures are about the first
            return self._null_row(document, given, ensemble.name, None, cut_tokens)
        try:
            kwargs = getattr(self.task, "_metric_fn_kwargs", {})
            patterns = any("regexes_to_ignore" in (given or ()) for given in kwargs.values())
            with lmeval.rendering(), at_most(_SECONDS, "regexes_to_ignore") if patterns else nullcontext():
                metrics = self.task.process_results(document.doc, filtered)
        except Exception as error:
            return self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens)
        generates = any(request.kind == "generate" for request in document.requests)
        unread = self.own_scorer and bool(metrics) and all(value is None for value in metrics.values())
        unparsed = generates and (unread or found_no_answer(filtered, _fallbacks(ensemble)))
        metrics = {**metrics, **self._language(filtered)}
        return make_row(document, given, ensemble.name, filtered, metrics, unparsed=unparsed, cut_tokens=cut_tokens)

    def _sampled(self, asked: Sequence[tuple[Document, Given]], ensemble: Any, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with what each of their answers scores alone."""
        return scored_alone(self.task, self.headline, asked, ensemble, rows, self._filtered, _fallbacks(ensemble))

    def _filtered(self, ensemble: Any, given: Sequence[tuple[Document, Given]]) -> list[list[Any]]:
        """A filter's results for each document's requests."""
        from evalkit.registry import lmeval

        instances: list[list[Any]] = []
        for document, answers in given:
            metadata = (self.name, document.doc_id, self.repeats)
            made = []
            for index, request in enumerate(document.requests):
                instance = lmeval.make_instance(_TYPES[request.kind], document.doc, arguments(request), index, metadata)
                instance.resps = answers.responses[index]
                made.append(instance)
            instances.append(made)
        flat = [instance for made in instances for instance in made]
        if flat:
            own_code = not all(map(_is_lmevals, ensemble.filters))
            with nullcontext() if own_code else at_most(_SECONDS * len(given), f"the filter {ensemble.name}"):
                ensemble.apply(flat)
        return [[instance.filtered_resps[ensemble.name] for instance in made] for made in instances]

    def _code_rows(self, document: Document, given: Given, verdicts: Sequence[Verdict], cut_tokens: int) -> list[Row]:
        from evalkit.registry import lmeval

        if not _any_ended(given):
            return [self._null_row(document, given, name, None, cut_tokens) for name in self.filters]
        try:
            made = self._programs(document, given)
        except Exception as error:
            reason = lmeval.say(error)
            return [self._null_row(document, given, name, reason, cut_tokens) for name in self.filters]
        if len(verdicts) != sum(len(programs) for _, programs in made):
            raise ValueError(f"{self.name}: {len(verdicts)} verdicts for {sum(len(p) for _, p in made)} programs")
        rows, rest = [], list(verdicts)
        for filter_name, programs in made:
            mine, rest = rest[: len(programs)], rest[len(programs) :]
            broken = next((v for v in mine if v.verdict == "sandbox_error"), None)
            if broken is None:
                judged = [v.verdict == "passed" for i, v in enumerate(mine) if given.ended(i)]
                metrics: RawValues = passk.figures(judged, self.code.k if self.code else ())
            else:
                metrics = dict.fromkeys(self.metric_names)
            sources = [program.source for program in programs]
            passed = tuple(float(v.verdict == "passed") if given.ended(i) else None for i, v in enumerate(mine))
            alike = tuple(source.strip() or None for source in sources)
            samples = Samples("pass@1", passed, alike) if broken is None and len(mine) > 1 else None
            row = make_row(
                document,
                given,
                filter_name,
                [sources],
                metrics,
                unparsed=found_no_answer([list(r) for r in given.responses], frozenset()),
                error=f"sandbox: {broken.reason}" if broken is not None else None,
                cut_tokens=cut_tokens,
                code=code_columns(sources, mine),
            )
            rows.append(replace(row, samples=samples))
        return rows

    def _language(self, filtered: Sequence[Any]) -> dict[str, Any]:
        """Whether the first answer is in the language that answers should be in; empty if that is not measured."""
        return {} if self.answers_in is None else {IN_KOREAN: in_korean(first_text(filtered))}

    def _null_row(self, document: Document, given: Given, filter_name: str, error: str | None, cut_tokens: int) -> Row:
        metrics = dict.fromkeys(self.metric_names)
        return make_row(document, given, filter_name, [], metrics, error=error, cut_tokens=cut_tokens)

    @property
    def scores_together(self) -> bool:
        """Whether a filter may need all documents at once. Only lm-eval's own filters are known not to."""
        return self.code is None and not all(
            _is_lmevals(step) for ensemble in self.task._filters for step in ensemble.filters
        )


class Scorer:
    """Gives rows as documents finish, or all at the end if a filter needs all documents."""

    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._waiting: list[tuple[Document, Answers, int]] = []

    def add(
        self,
        document: Document,
        answers: Answers,
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        if not self._grader.scores_together:
            return self._grader.score(document, answers, verdicts, cut_tokens)
        self._waiting.append((document, answers, cut_tokens))
        return []

    def finish(self) -> list[Row]:
        waiting, self._waiting = sorted(self._waiting, key=lambda item: item[0].doc_id), []
        return self._grader.score_together(waiting) if waiting else []


def _is_lmevals(step: Any) -> bool:
    """Whether a filter's step is code of lm-eval's, with at most a regular expression from the task file."""
    return getattr(step.func, "__module__", "").startswith("lm_eval.filters") and step.func.__name__ != "CustomFilter"


def _any_ended(given: Given) -> bool:
    return any(given.ended(place) for place in range(len(given.responses[0]) if given.responses else 0))


def _fallbacks(ensemble: Any) -> frozenset[str]:
    """The values that this filter's regular expressions give if they do not match."""
    fallbacks = {"[invalid]"}
    for step in ensemble.filters:
        fallback = step.keywords.get("fallback")
        if isinstance(fallback, str):
            fallbacks.add(fallback)
    return frozenset(fallbacks)
