"""All token requests of a pass, numbered, and the key under which each answer is kept."""

from __future__ import annotations

from dataclasses import replace

from evalkit.config import RunConfig
from evalkit.journal import Keyer
from evalkit.registry import Document
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.preparing import Prepared, Variant
from evalkit.tokens import Encoded
from evalkit.types import GenerateRequest, Request, TokenRequest

__all__ = ["answer_key", "answer_keys", "enrol", "own"]


def enrol(prepared: Prepared, config: RunConfig) -> Ledger:
    """Tokenised once; each adapter asks the same of the same tokens."""
    ledger = Ledger()
    everything = [(task, document) for task, documents in prepared.documents.values() for document in documents]
    limit = prepared.tokenizer.max_length + prepared.kind.beyond_window
    texts = [request for _, document in everything for request in _asked_first(document)]
    encoded = iter(prepared.tokenizer.encode(texts, score_limit=limit))
    sets = [(task, document, [next(encoded) for _ in _asked_first(document)]) for task, document in everything]
    for number, variant in enumerate(prepared.variants):
        for task, document, requests in sets:
            numbered, next_id = [], ledger.next_id
            for item in requests:
                numbered.append(own(item, next_id, variant.asked_of, config.seed.torch))
                next_id += len(item.requests)
            ledger.add(Pending(number, task, document, numbered))
    return ledger


def answer_keys(prepared: Prepared, ledger: Ledger) -> dict[int, bytes]:
    """Request id → the key under which its answer is kept."""
    keyers = {variant.asked_of: _keyer(prepared, variant) for variant in prepared.variants}
    return {request.id: keyers[request.adapter].key(request) for request in ledger.requests()}


def answer_key(prepared: Prepared, variant: Variant, request: TokenRequest) -> bytes:
    """The key of one request that came up later."""
    return _keyer(prepared, variant).key(request)


def _keyer(prepared: Prepared, variant: Variant) -> Keyer:
    return Keyer(prepared.model.key(variant.adapter), prepared.kind.semantics)


def _asked_first(document: Document) -> list[Request]:
    """What does not wait for an answer of the same document."""
    return [request for request in document.requests if request.follows is None]


def own(encoded: Encoded, first_id: int, adapter: str | None, seed: int) -> Encoded:
    """With this pass's ids and adapter. A sampled generation without a seed takes the run's, so that it repeats."""
    requests = []
    for offset, request in enumerate(encoded.requests):
        if isinstance(request, GenerateRequest) and request.sampling.temperature and request.sampling.seed is None:
            request = replace(request, sampling=replace(request.sampling, seed=seed))
        requests.append(replace(request, id=first_id + offset, adapter=adapter))
    return replace(encoded, requests=tuple(requests))
