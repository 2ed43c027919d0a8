"""Signs in a model that it was trained on a benchmark: Min-K%, Min-K%++ and CoDeC, as requests for log-probabilities.

Min-K%     the mean log-probability of a document's least likely fifth of tokens (Shi et al. 2024, arXiv:2310.16789)
Min-K%++   the same of log-probabilities that are standardised over the vocabulary (Zhang et al. 2024, arXiv:2404.02936)
CoDeC      whether the mean log-probability falls when other documents of the set stand before it: to a model that knows
           them they say nothing new (Zawalski et al. 2025)
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from evalkit.engines.base import Engine, notify_through, stop_through
from evalkit.engines.spec import EngineSettings, check_ability, choose, start
from evalkit.errors import EngineError
from evalkit.journal import Journal, Keyer
from evalkit.runner.benchmarks import BenchmarkDocument
from evalkit.runner.listener import Listener
from evalkit.runner.stop import Stop
from evalkit.types import Arguments, Failed, Request, Score, Scored, ScoreRequest, TokenIds, Work

__all__ = ["MOST_TOKENS", "Signs", "read_signs"]

MOST_TOKENS = 256
"""Of a document: a token costs a request."""
_LARGEST_VOCABULARY = 8192
_SHARE = 0.2
_BEFORE = 3
"""Other documents that CoDeC puts before one."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of one document. None: not known."""

    min_k: float | None
    min_k_pp: float | None
    falls: float | None
    """Mean log-probability alone less the one behind other documents: positive where it falls."""


def read_signs(
    documents: Sequence[BenchmarkDocument],
    typed: str,
    listener: Listener,
    *,
    model_args: Arguments,
    engine: str = "auto",
    device: str | None = None,
    plus_plus: bool = True,
    output_path: Path = Path("results"),
    journal: Path | None = None,
) -> list[Signs]:
    """The signs of each document. Log-probabilities are kept in the journal, but for those of the whole vocabulary."""
    kind = choose(engine)
    check_ability(kind, "score", "--model")
    model = kind.find_model(typed, model_args, False)
    tokenizer = kind.load_tokenizer(model)
    texts = [f"{document.question} {document.answer}".strip() for document in documents]
    limit = tokenizer.max_length + kind.beyond_window
    encoded = tokenizer.encode([Request("rolling", text) for text in texts], score_limit=limit)
    tokens = [_first_window(document.requests[0]) if document.requests else None for document in encoded]
    size = getattr(tokenizer, "vocab_size", 0)
    vocabulary = size if plus_plus and 0 < size <= _LARGEST_VOCABULARY else 0
    with ExitStack() as stack:
        kept = stack.enter_context(Journal.open(output_path, folder=journal))
        kept.name_model(model.key(None), typed)
        stop = stack.enter_context(Stop(rescue=kept.flush, announce=lambda: listener.stopping(0)))
        listener.stage(f"loading {typed} ({kind.name})")
        running = start(kind, model.spec, tokenizer, [], EngineSettings(device=device))
        stack.callback(running.close)
        notify_through(running, listener.note)
        stop_through(running, lambda: stop.requested)
        asking = _Asking(kept, Keyer(model.key(None), kind.semantics), running, stop)
        listener.start({"documents": len(documents)})
        rng = random.Random(0)
        signs = []
        for place, ids in enumerate(tokens):
            others = [
                other for other in rng.sample(range(len(tokens)), min(_BEFORE + 1, len(tokens))) if other != place
            ]
            before = [tokens[other] for other in others[:_BEFORE]]
            signs.append(_of_document(asking, ids, [document for document in before if document], vocabulary, limit))
            listener.advance("documents")
            stop.raise_if_requested()
        kept.flush()
    return signs


def _first_window(request: object) -> TokenIds | None:
    if not isinstance(request, ScoreRequest):
        return None
    return array("i", [*request.context, *request.continuation[:MOST_TOKENS]])


def _of_document(
    asking: _Asking, ids: TokenIds | None, before: Sequence[TokenIds], vocabulary: int, limit: int
) -> Signs:
    if ids is None or len(ids) < 3:
        return Signs(None, None, None)
    each = asking.each([(ids[:place], ids[place : place + 1]) for place in range(1, len(ids))])
    fewest = max(1, int(len(each) * _SHARE))
    plus = None
    if vocabulary:
        spreads = asking.spreads(ids, vocabulary)
        scaled = sorted(
            (value - mean) / spread if spread > 0 else 0.0 for value, (mean, spread) in zip(each, spreads, strict=True)
        )
        plus = sum(scaled[:fewest]) / fewest
    least = sorted(each)
    return Signs(sum(least[:fewest]) / fewest, plus, _falls(asking, ids, each, before, limit))


def _falls(
    asking: _Asking, ids: TokenIds, each: Sequence[float], before: Sequence[TokenIds], limit: int
) -> float | None:
    """The text's own beginning-of-text token is left out: other documents stand there."""
    context = array("i", ids[:1])
    for other in before:
        if len(context) + len(other) + len(ids) <= limit:
            context += other[1:]
    if len(context) == 1:
        return None
    [behind] = asking.each([(context, ids[1:])])
    return sum(each) / len(each) - behind / len(each)


class _Asking:
    """Scores continuations: from the journal where it holds them, else from the engine."""

    def __init__(self, journal: Journal, keyer: Keyer, engine: Engine, stop: Stop) -> None:
        self._journal = journal
        self._keyer = keyer
        self._engine = engine
        self._stop = stop

    def each(self, pairs: Sequence[tuple[TokenIds, TokenIds]]) -> list[float]:
        requests = [ScoreRequest(n, context, continuation) for n, (context, continuation) in enumerate(pairs)]
        keys = {request.id: self._keyer.key(request) for request in requests}
        values = {kept.id: kept.logprob for kept in self._journal.get_many(keys.items()) if isinstance(kept, Scored)}
        missing = [request for request in requests if request.id not in values]
        for answer in self._run([Score((r.id,), r.context, (r.continuation,)) for r in missing]):
            self._journal.put(keys[answer.id], answer)
            values[answer.id] = answer.logprob
        return [values[request.id] for request in requests]

    def spreads(self, ids: TokenIds, vocabulary: int) -> list[tuple[float, float]]:
        """Mean and standard deviation of each next token's log-probability, over the model's own distribution."""
        tokens = tuple(array("i", [token]) for token in range(vocabulary))
        places = range(1, len(ids))
        work = [
            Score(tuple(range(n * vocabulary, (n + 1) * vocabulary)), ids[:place], tokens)
            for n, place in enumerate(places)
        ]
        means, squares = [0.0] * len(places), [0.0] * len(places)
        for answer in self._run(work):
            share = math.exp(answer.logprob)
            means[answer.id // vocabulary] += share * answer.logprob
            squares[answer.id // vocabulary] += share * answer.logprob**2
        return [(mean, math.sqrt(max(0.0, square - mean * mean))) for mean, square in zip(means, squares, strict=True)]

    def _run(self, work: Sequence[Work]) -> Iterator[Scored]:
        if not work:
            return
        for answer in self._engine.run(iter(work)):
            if isinstance(answer, Failed):
                raise EngineError(f"a document could not be scored: {answer.reason}")
            if isinstance(answer, Scored):
                yield answer
        if self._stop.requested:
            self._stop.raise_if_requested()
