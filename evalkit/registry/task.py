"""A task: lm-eval's Task object, driven one document at a time."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.errors import CouldNotDo, EvalkitError, UsageError
from evalkit.registry import lmeval
from evalkit.registry.cards import Card
from evalkit.registry.code import CodeSpec, metrics_of
from evalkit.registry.data import quiet
from evalkit.registry.dice import Dice
from evalkit.registry.figures import figure
from evalkit.registry.rows import Document, Given, arguments, code_columns, found_no_answer, give, make_row, prompt_text
from evalkit.types import Answer, Figure, Message, Program, Request, Row, Verdict

__all__ = ["ChatTemplateFunction", "Scorer", "Task"]

ChatTemplateFunction = Callable[..., str]

_KINDS: Mapping[str, Any] = {"loglikelihood": "score", "loglikelihood_rolling": "rolling", "generate_until": "generate"}
_TYPES = {kind: name for name, kind in _KINDS.items()}


class Task:
    """Build its documents, score each when its answers are there, then aggregate. Made by Registry.load."""

    def __init__(
        self, task: Any, name: str, *, card: Card | None, trusted: bool, dice: Dice, code: CodeSpec | None
    ) -> None:
        self._task = task
        self._trusted = trusted
        self._dice = dice
        self.name = name
        self.card = card
        self.code = code
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
    def generation(self) -> dict[str, Any] | None:
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
    def is_code(self) -> bool:
        return self.code is not None

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(ensemble.name for ensemble in self._task._filters)

    @property
    def metric_names(self) -> tuple[str, ...]:
        if self.code is not None:
            return tuple(f"pass@{k}" for k in self.code.k if k <= self.repeats)
        return tuple(self._task.aggregation())

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(f"{metric},{filter_name}" for filter_name in self.filters for metric in self.metric_names)

    @property
    def headline(self) -> str:
        if self.card is not None and self.card.headline in self.metrics:
            return str(self.card.headline)
        return self.metrics[0]

    @property
    def chance(self) -> float | None:
        return self.card.chance if self.card is not None else None

    def higher_is_better(self, metric: str) -> bool:
        if self.code is not None:
            return True
        return bool(self._task.higher_is_better().get(metric, True))

    def _config(self, key: str) -> Any:
        return self._task.get_config(key)

    @property
    def _eval_docs(self) -> Any:
        """The documents as lm-eval's constructor left them; asking anew would process them once more."""
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
        """All documents in order, with their prompts. Few-shot draws go on from document to document, as in lm-eval."""
        with self._dice.held(), quiet(), lmeval.rendering(self._trusted):
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
        task, config = self._task, self._task.config
        for doc_id, doc in task.doc_iterator(limit=lmeval.sample_size(self.size, limit)):
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
                target = task.doc_to_target(doc)
            except Exception as error:
                yield self._unbuilt(doc_id, doc, lmeval.say(error))
                continue
            yield Document(
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

    def _unbuilt(self, doc_id: int, doc: Any, error: str) -> Document:
        target_hash = lmeval.hash_text("None")
        return Document(self.name, doc_id, doc, (), None, lmeval.hash_json(doc), None, target_hash, error=error)

    def _cluster(self, doc: Mapping[str, Any]) -> str | None:
        value = doc.get(self.card.cluster) if self.card is not None and self.card.cluster else None
        return None if value in (None, "") else str(value)

    def _stratum_of(self, doc: Mapping[str, Any]) -> str | None:
        if self.card is None or self.card.stratum in (None, "task"):
            return self.stratum
        value = doc.get(self.card.stratum or "")
        return None if value in (None, "") else str(value)

    # ── score ────────────────────────────────────────────────────────────────

    def programs(self, document: Document, answers: Sequence[Sequence[Answer | None]]) -> list[Program] | None:
        """What the sandbox is to run before `score`: filter by filter, request by request, sample by sample."""
        if self.code is None:
            return None
        given = give(document, answers)
        if given.missing or given.error is not None:
            return []
        try:
            return [p for _, programs in self._programs(document, given) for p in programs]
        except Exception:
            return []

    def _programs(self, document: Document, given: Given) -> Iterator[tuple[str, list[Program]]]:
        assert self.code is not None
        with lmeval.rendering(self._trusted):
            for ensemble in self._task._filters:
                filtered = self._filtered(ensemble, [(document, given)])[0]
                completions = [text for part in filtered for text in (part if isinstance(part, list) else [part])]
                yield (
                    ensemble.name,
                    [self.code.program_of(document.doc, str(text), lmeval.render) for text in completions],
                )

    def score(
        self,
        document: Document,
        answers: Sequence[Sequence[Answer | None]],
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        """One row per filter. Whatever raises becomes the row's `error`; no other document is touched."""
        given = give(document, answers)
        if given.missing or given.error is not None:
            return [self._null_row(document, given, name, given.error, cut_tokens) for name in self.filters]
        if self.code is not None:
            return self._code_rows(document, given, verdicts or (), cut_tokens)
        rows = []
        for ensemble in self._task._filters:
            try:
                with lmeval.rendering(self._trusted):
                    filtered = self._filtered(ensemble, [(document, given)])[0]
            except Exception as error:
                rows.append(self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens))
                continue
            rows.append(self._row(document, given, ensemble, filtered, cut_tokens))
        return rows

    def _score_together(self, waiting: Sequence[tuple[Document, Sequence[Sequence[Answer | None]], int]]) -> list[Row]:
        """As `score`, with each filter run once over all documents that have answers."""
        given = [(document, give(document, answers), cut) for document, answers, cut in waiting]
        sound = [(document, g) for document, g, _ in given if not g.missing and g.error is None]
        rows: dict[tuple[int, str], Row] = {}
        for ensemble in self._task._filters:
            error, filtered = None, []
            try:
                with lmeval.rendering(self._trusted):
                    filtered = self._filtered(ensemble, sound)
            except Exception as raised:
                error = lmeval.say(raised)
            found = {id(document): parts for (document, _), parts in zip(sound, filtered, strict=False)}
            for document, g, cut in given:
                if id(document) in found:
                    row = self._row(document, g, ensemble, found[id(document)], cut)
                else:
                    row = self._null_row(document, g, ensemble.name, g.error or (None if g.missing else error), cut)
                rows[document.doc_id, ensemble.name] = row
        return [rows[document.doc_id, name] for document, _, _ in given for name in self.filters]

    def _row(self, document: Document, given: Given, ensemble: Any, filtered: list[Any], cut_tokens: int) -> Row:
        try:
            with lmeval.rendering(self._trusted):
                metrics = self._task.process_results(document.doc, filtered)
        except Exception as error:
            return self._null_row(document, given, ensemble.name, lmeval.say(error), cut_tokens)
        generates = any(request.kind == "generate" for request in document.requests)
        unparsed = generates and found_no_answer(filtered, _fallbacks(ensemble))
        return make_row(document, given, ensemble.name, filtered, metrics, unparsed=unparsed, cut_tokens=cut_tokens)

    def _filtered(self, ensemble: Any, given: Sequence[tuple[Document, Given]]) -> list[list[Any]]:
        """A filter's results for each document's requests."""
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
            ensemble.apply(flat)
        return [[instance.filtered_resps[ensemble.name] for instance in made] for made in instances]

    def _code_rows(self, document: Document, given: Given, verdicts: Sequence[Verdict], cut_tokens: int) -> list[Row]:
        try:
            made = list(self._programs(document, given))
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
                metrics: Mapping[str, Any] = metrics_of([v.verdict == "passed" for v in mine], self._ks)
            else:
                metrics = dict.fromkeys(self.metric_names)
            sources = [program.source for program in programs]
            rows.append(
                make_row(
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
            )
        return rows

    @property
    def _ks(self) -> tuple[int, ...]:
        return self.code.k if self.code is not None else ()

    def _null_row(self, document: Document, given: Given, filter_name: str, error: str | None, cut_tokens: int) -> Row:
        metrics = dict.fromkeys(self.metric_names)
        return make_row(document, given, filter_name, [], metrics, error=error, cut_tokens=cut_tokens)

    def scorer(self) -> Scorer:
        return Scorer(self)

    @property
    def scores_together(self) -> bool:
        """Whether some filter may look at all documents at once: any that is not lm-eval's own."""
        for step in (step for ensemble in self._task._filters for step in ensemble.filters):
            if (
                getattr(step.func, "__module__", "").startswith("lm_eval.filters")
                and step.func.__name__ != "CustomFilter"
            ):
                continue
            return self.code is None
        return False

    # ── aggregate ────────────────────────────────────────────────────────────

    def aggregate(self, rows: Sequence[Row]) -> dict[str, Figure]:
        """lm-eval's figures over the documents that have a value."""
        values: dict[tuple[str, str], list[Any]] = {}
        # In document order: sums of floats depend on it in their last bit.
        rows = sorted(rows, key=lambda row: row.doc_id)
        for filter_name in self.filters:
            for row in rows:
                if row.filter == filter_name:
                    for metric, value in row.metrics.items():
                        kept = values.setdefault((metric, filter_name), [])
                        if value is not None:
                            kept.append(value)
        return {f"{metric},{name}": self._figure(metric, kept) for (metric, name), kept in values.items()}

    def _figure(self, metric: str, values: list[Any]) -> Figure:
        better = self.higher_is_better(metric)
        if not values:
            return Figure(None, higher_is_better=better, reason="no document has a value")
        try:
            value, stderr = lmeval.aggregate(self._task, metric, values)
        except Exception as error:
            return Figure(None, higher_is_better=better, reason=f"the aggregation failed: {lmeval.say(error)}")
        return figure(value, stderr, values, better)

    # ── identity ─────────────────────────────────────────────────────────────

    def identity(self, documents: Sequence[Document]) -> dict[str, Any]:
        """What the manifest keeps of this task."""
        config = self._task.dump_config()
        metadata = dict(config.get("metadata") or {})
        metadata.pop("config_source", None)
        config["metadata"] = metadata
        for key in ("dataset_kwargs", "generation_kwargs", "num_fewshot"):
            config.pop(key, None)
        return {
            "version": self.version,
            "num_fewshot": self.num_fewshot,
            "output_type": self.output_type,
            "config_hash": lmeval.hash_text(json.dumps(config, sort_keys=True, default=_source)),
            "data_hash": lmeval.hash_text("".join(document.doc_hash for document in documents)),
            "prompts_hash": lmeval.hash_text("".join(document.prompt_hash or "" for document in documents)),
            "generation": self.generation,
        }


class Scorer:
    """Rows as documents finish; where a filter must see all documents, all at once in the end."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._waiting: list[tuple[Document, Sequence[Sequence[Answer | None]], int]] = []

    def add(
        self,
        document: Document,
        answers: Sequence[Sequence[Answer | None]],
        verdicts: Sequence[Verdict] | None = None,
        cut_tokens: int = 0,
    ) -> list[Row]:
        if not self._task.scores_together:
            return self._task.score(document, answers, verdicts, cut_tokens)
        self._waiting.append((document, answers, cut_tokens))
        return []

    def finish(self) -> list[Row]:
        waiting, self._waiting = sorted(self._waiting, key=lambda item: item[0].doc_id), []
        return self._task._score_together(waiting) if waiting else []


def _request(instance: Any) -> Request:
    kind, context, repeats = _KINDS[instance.request_type], instance.args[0], instance.repeats or 1
    messages = getattr(context, "messages", None)
    if messages is not None:
        context = tuple(Message(m["role"], m["content"]) for m in messages)
    if kind == "generate":
        return Request("generate", context, gen_kwargs=instance.args[1], repeats=repeats)
    if kind == "rolling":
        return Request("rolling", context, repeats=repeats)
    if not isinstance(instance.args[1], str):
        raise TypeError(f"the continuation is no text: {instance.args[1]!r}")
    return Request("score", context, instance.args[1], repeats=repeats)


def _fallbacks(ensemble: Any) -> frozenset[str]:
    """What this filter's regular expressions give where they match nothing."""
    found = {"[invalid]"}
    for step in ensemble.filters:
        fallback = step.keywords.get("fallback")
        if isinstance(fallback, str):
            found.add(fallback)
    return frozenset(found)


def _source(value: Any) -> str:
    """A function by its source, never by its address."""
    try:
        return inspect.getsource(value)
    except (TypeError, OSError):
        return getattr(value, "__qualname__", None) or type(value).__qualname__
