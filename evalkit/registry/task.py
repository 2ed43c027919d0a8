"""A task: lm-eval's Task object, used one document at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from evalkit.errors import ConfigError, CouldNotDo, EvalkitError, UsageError
from evalkit.registry.aggregating import Aggregator, Part
from evalkit.registry.cards import Card
from evalkit.registry.checking import CheckGrader, CheckSpec
from evalkit.registry.code import CodeSpec
from evalkit.registry.conversation import Conversation, as_prompt
from evalkit.registry.data import quiet
from evalkit.registry.dice import Dice
from evalkit.registry.grading import Answers, Grader, Scorer
from evalkit.registry.identity import TaskIdentity, identity_of
from evalkit.registry.language import IN_KOREAN
from evalkit.registry.reading import Reading, ReadingGrader
from evalkit.registry.rows import Document, prompt_text
from evalkit.registry.scorers import TaskScorer
from evalkit.registry.templates import TemplateNeverEnds
from evalkit.scoring import samples as several_answers
from evalkit.types import Arguments, Figure, Program, RawDocument, Request, Row, Verdict

__all__ = ["ChatTemplateFunction", "Task"]

ChatTemplateFunction = Callable[..., str]

_LONGEST_LABEL = 100
"""Characters of a cluster's name. A longer one, such as a shared passage, is replaced by its hash."""

_KINDS: Mapping[str, Literal["score", "rolling", "generate"]] = {
    "loglikelihood": "score",
    "loglikelihood_rolling": "rolling",
    "generate_until": "generate",
}


class Task:
    """Builds documents, scores each one when its answers are there, and aggregates. Made by Registry.load."""

    def __init__(
        self,
        task: Any,
        name: str,
        *,
        card: Card | None,
        dice: Dice,
        code: CodeSpec | None,
        checks: CheckSpec | None = None,
        scorer: TaskScorer | None = None,
        reading: Reading | None = None,
    ) -> None:
        self._task = task
        self._dice = dice
        self.name = name
        self.card = card
        self.code = code
        self.checks = checks
        self.own_scorer = scorer
        self.reading = reading
        self.is_code = code is not None or (checks is not None and checks.run_code(self._eval_docs))
        """Whether answers are run in the sandbox."""
        self.keep: int | None = None
        """How many documents are asked, the first ones; None: all, or as many as the run's limit says."""
        self.stratum = name if card is not None and card.stratum == "task" else None

    # ── facts ────────────────────────────────────────────────────────────────

    @property
    def alias(self) -> str:
        return self._config("task_alias") or self.name

    @property
    def version(self) -> Any:
        return self._task.VERSION

    @property
    def num_fewshot(self) -> int:
        return self._config("num_fewshot") or 0

    @property
    def output_type(self) -> str:
        return str(self._task.OUTPUT_TYPE)

    @property
    def repeats(self) -> int:
        return self._config("repeats") or 1

    @property
    def generation(self) -> Arguments | None:
        kwargs = self._config("generation_kwargs")
        return dict(kwargs) if kwargs and self.output_type == "generate_until" else None

    @property
    def data_name(self) -> str:
        path, name = self._task.DATASET_PATH, self._task.DATASET_NAME
        return f"{path} ({name})" if name else str(path)

    @property
    def size(self) -> int:
        return len(self._eval_docs)

    @property
    def is_cut(self) -> bool:
        """Whether fewer documents are kept than there are."""
        return self.keep is not None and self.keep < self.size

    @property
    def conversation(self) -> Conversation | None:
        return getattr(self._task, "conversation", None)

    @property
    def broken_rows(self) -> tuple[tuple[int, str], ...]:
        """Line number and reason of each row of the data file that was left out."""
        return tuple(getattr(self._eval_docs, "broken", ()))

    @property
    def repeated_rows(self) -> tuple[int, ...]:
        """Line numbers of the data file's rows that ask what an earlier one asks."""
        return tuple(getattr(self._eval_docs, "repeated", ()))

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(ensemble.name for ensemble in self._task._filters)

    @property
    def metric_names(self) -> tuple[str, ...]:
        if self.code is not None:
            return tuple(f"pass@{k}" for k in self.code.k if k <= self.repeats)
        return (*self._task.aggregation(), *([IN_KOREAN] if self.answers_in else []))

    @property
    def answers_in(self) -> str | None:
        """The language that generated answers should be in; None if that is not measured."""
        language = (self._config("metadata") or {}).get("answers_in") or (self.card.answers_in if self.card else None)
        return language if language == "ko" and self.output_type == "generate_until" and self.checks is None else None

    @property
    def metrics(self) -> tuple[str, ...]:
        names = [*self.metric_names, *self._sample_figures]
        return tuple(f"{metric},{filter_name}" for filter_name in self.filters for metric in names)

    @property
    def _sample_figures(self) -> tuple[str, ...]:
        """The figures over several answers per document; a code task's own names hold what it asks for."""
        alone = self.own_scorer is None or not self.own_scorer.reads_all
        generates = self.output_type == "generate_until" and self.code is None and alone
        return several_answers.names_of(self.repeats) if generates and self.repeats > 1 else ()

    @property
    def headline(self) -> str:
        if self.card is not None and self.card.headline in self.metrics:
            return str(self.card.headline)
        return self.metrics[0] if self.metrics else ""

    @property
    def chance(self) -> float | None:
        return self.card.chance if self.card is not None else None

    def higher_is_better(self, metric: str) -> bool | None:
        """None: the task does not state it, or neither direction is better."""
        if self.code is not None:
            return True
        better = self._task.higher_is_better().get(metric, True)
        return None if better is None else bool(better)

    def _config(self, key: str) -> Any:
        return self._task.get_config(key)

    @property
    def _eval_docs(self) -> Any:
        """The documents as lm-eval's constructor made them. Calling lm-eval again would process them a second time."""
        return self._task.task_docs if hasattr(self._task, "task_docs") else self._task.eval_docs

    # ── build ────────────────────────────────────────────────────────────────

    def build(
        self,
        limit: float | None = None,
        *,
        chat_template: ChatTemplateFunction | None = None,
        system_instruction: str | None = None,
        fewshot_as_multiturn: bool = False,
    ) -> list[Document]:
        """All documents in order, with their prompts. As in lm-eval, few-shot draws depend on the documents before."""
        from evalkit.registry import lmeval

        with self._dice.held(), quiet(), lmeval.rendering():
            documents = list(self._documents(limit, chat_template, system_instruction, fewshot_as_multiturn))
        if not documents:
            raise CouldNotDo(f"task {self.name} has no documents in {self.data_name}")
        if all(document.error is not None for document in documents):
            raise self._no_prompt(str(documents[0].error))
        return documents

    def _no_prompt(self, error: str) -> EvalkitError:
        if "larger than population" in error or "exceeds the" in error:
            return UsageError(
                f"task {self.name} has fewer than the {self.num_fewshot} examples asked for (--num-fewshot)"
            )
        return CouldNotDo(f"task {self.name}: no prompt can be built: {error}")

    def _documents(
        self, limit: float | None, chat_template: ChatTemplateFunction | None, system: str | None, multiturn: bool
    ) -> Iterator[Document]:
        from evalkit.registry import lmeval

        task, config = self._task, self._task.config
        sizes = [size for size in (lmeval.sample_size(self.size, limit), self.keep) if size is not None]
        for doc_id, doc in task.doc_iterator(limit=min(sizes, default=None)):
            try:
                context = task.fewshot_context(
                    doc,
                    num_fewshot=self.num_fewshot,
                    system_instruction=system,
                    apply_chat_template=chat_template is not None,
                    fewshot_as_multiturn=multiturn,
                    chat_template=chat_template,
                    gen_prefix=task.doc_to_prefix(doc),
                )
                instances = task.construct_requests(
                    doc=doc,
                    ctx=context,
                    metadata=(config["task"], doc_id, config.repeats),
                    apply_chat_template=chat_template is not None,
                    chat_template=chat_template,
                )
                if not isinstance(instances, list):
                    instances = [instances]
                instances.sort(key=lambda instance: instance.idx)
                if not instances:
                    raise ValueError("the document has no choices to ask for")
                requests = tuple(_request(instance) for instance in instances)
                requests += self._follow_ups(doc, requests[0], system, chat_template)
                target = task.doc_to_target(doc)
                document = Document(
                    task=self.name,
                    doc_id=doc_id,
                    doc=doc,
                    requests=requests,
                    target=target,
                    doc_hash=lmeval.hash_json(doc),
                    prompt_hash=lmeval.hash_text(prompt_text(requests[0].context)),
                    target_hash=lmeval.hash_text(str(target)),
                    cluster=self._cluster(doc),
                    stratum=self._stratum_of(doc),
                )
            except TemplateNeverEnds as error:  # the other documents would take as long
                raise ConfigError(f"task {self.name}: document {doc_id}: {error}") from error
            except Exception as error:
                yield self._unbuilt(doc_id, doc, lmeval.say(error))
                continue
            yield document

    def _follow_ups(
        self, doc: RawDocument, first: Request, system: str | None, chat_template: ChatTemplateFunction | None
    ) -> tuple[Request, ...]:
        """The requests of a conversation's later turns, whose earlier answers the model writes."""
        if self.conversation is None:
            return ()

        def follow(make: Callable[[Sequence[str]], str]) -> Request:
            return replace(first, context="", follows=lambda answers: as_prompt(make(answers)))

        return tuple(follow(make) for make in self.conversation.prompts(doc, system, chat_template)[1:])

    def _unbuilt(self, doc_id: int, doc: Any, error: str) -> Document:
        from evalkit.registry import lmeval

        target_hash = lmeval.hash_text("None")
        try:
            doc_hash = lmeval.hash_json(doc)
        except UnicodeEncodeError:  # half a character stands in it
            doc_hash = lmeval.hash_text(json.dumps(doc, default=str))
        return Document(self.name, doc_id, doc, (), None, doc_hash, None, target_hash, error=error)

    def _cluster(self, doc: RawDocument) -> str | None:
        value = doc.get(self.card.cluster) if self.card is not None and self.card.cluster else None
        if value in (None, ""):
            return None
        text = str(value)
        return text if len(text) <= _LONGEST_LABEL else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

    def _stratum_of(self, doc: RawDocument) -> str | None:
        if self.own_scorer is not None and self.own_scorer.stratum is not None:
            return self.own_scorer.stratum(doc)
        if self.card is None or self.card.stratum in (None, "task"):
            return self.stratum
        value = doc.get(self.card.stratum or "")
        return None if value in (None, "") else str(value)

    # ── score ────────────────────────────────────────────────────────────────

    def programs(self, document: Document, answers: Answers) -> list[Program] | None:
        """The programs that the sandbox runs before `score`; None if the task runs no code."""
        return self._grader.programs(document, answers) if self.is_code else None

    def canonical_programs(self, documents: Sequence[Document]) -> list[Program]:
        """The right programs of these documents; none where the task has none."""
        from evalkit.registry import lmeval

        if self.code is None:
            return []
        with lmeval.rendering():
            made = [self.code.canonical_of(document.doc, lmeval.render) for document in documents]
        return [program for program in made if program is not None]

    def score(
        self,
        document: Document,
        answers: Answers,
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        """One row per filter. Whatever raises becomes the row's `error`; no other document is touched."""
        return self._grader.score(document, answers, verdicts, cut_tokens)

    def unanswered(self, document: Document) -> list[Row] | None:
        """The rows of a question without a recorded answer, if that counts as 0; None if it counts as missing."""
        grader = self._grader
        if not isinstance(grader, ReadingGrader) or not grader.reading.unanswered_is_wrong:
            return None
        return grader.unanswered(document)

    def scorer(self) -> Scorer:
        return Scorer(self._grader)

    @property
    def scores_together(self) -> bool:
        """Whether a filter may need all documents at once."""
        return self._grader.scores_together

    @property
    def _grader(self) -> Grader:
        scored = self.own_scorer is not None
        headline = self.headline.partition(",")[0]
        together = self.own_scorer is not None and self.own_scorer.reads_all
        known = (self._task, self.name, self.metric_names, self.repeats, self.code, scored, together)
        if self.checks is not None:
            return CheckGrader(*known, headline=headline, checks=self.checks, conversation=self.conversation)
        if self.reading is not None:
            return ReadingGrader(*known, self.answers_in, headline, self.reading)
        return Grader(*known, self.answers_in, headline)

    # ── aggregate ────────────────────────────────────────────────────────────

    def aggregate(self, rows: Sequence[Row]) -> dict[str, Figure]:
        """lm-eval's figures over the documents that have a value."""
        return self._aggregator.aggregate(rows)

    def parts(self, rows: Sequence[Row]) -> dict[str, Part]:
        """The groups of documents that the task's scorer makes, with their figures, in order of the documents."""
        return self._aggregator.parts(rows)

    def with_contributions(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what each document adds to the task's figures of all documents together."""
        return self._aggregator.with_contributions(rows)

    @property
    def _aggregator(self) -> Aggregator:
        return Aggregator(
            self._task, self.name, self.own_scorer, self.filters, self.metric_names, self.higher_is_better
        )

    def identity(self, documents: Sequence[Document]) -> TaskIdentity:
        """The manifest's entry on this task."""
        return identity_of(
            self._task,
            documents,
            version=self.version,
            num_fewshot=self.num_fewshot,
            output_type=self.output_type,
            repeats=self.repeats,
            generation=self.generation,
            broken_rows=self.broken_rows,
        )


def _request(instance: Any) -> Request:
    kind, repeats = _KINDS[instance.request_type], instance.repeats or 1
    context = as_prompt(instance.args[0])
    if kind == "generate":
        return Request("generate", context, gen_kwargs=instance.args[1], repeats=repeats)
    if kind == "rolling":
        return Request("rolling", context, repeats=repeats)
    if not isinstance(instance.args[1], str):
        raise TypeError(f"the continuation is no text: {instance.args[1]!r}")
    return Request("score", context, instance.args[1], repeats=repeats)
