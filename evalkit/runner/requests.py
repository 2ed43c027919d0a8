"""Stage 2, plan: number all token requests of a pass and compute the journal key of each answer."""

from __future__ import annotations

from dataclasses import replace

from evalkit.journal import Keyer
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.materials import asked_first
from evalkit.runner.preparing import Prepared
from evalkit.tokens import Encoded
from evalkit.types import Answer, Generate, Generated, GenerateRequest, Request

__all__ = ["PassRequests", "as_work"]


class PassRequests:
    """The requests of a pass: those known from the start, and those that follow from answers."""

    def __init__(self, prepared: Prepared, seed: int) -> None:
        """Encode every prompt once. `seed`: used by sampled generations without a seed, so that they are repeatable."""
        self.ledger = Ledger()
        self.keys: dict[int, bytes] = {}
        """Request id → the key of its answer in the journal."""
        self._prepared = prepared
        self._seed = seed
        self._firsts: dict[int, tuple[Generated, GenerateRequest]] = {}
        """Id of a follow-up request (the rest of an answer) → the answer's first part, and the follow-up request."""
        self._keyers = [Keyer(prepared.model.key(v.adapter), prepared.kind.semantics) for v in prepared.variants]
        self._add_all()

    def next_turn(self, pending: Pending) -> list[GenerateRequest]:
        """The requests of a document's next turn, made from its answers: one for each sample."""
        request = pending.next_request()
        samples = [
            self._encode_turn(request, [_text(answers[sample]) for answers in pending.received], sample)
            for sample in range(request.repeats)
        ]
        error = next((encoded.error for _, encoded in samples if encoded.error), None)
        made = [] if error else [(encoded.requests[0], number) for number, (_, encoded) in enumerate(samples)]
        turns = [replace(turn, sample=number) for turn, number in made if isinstance(turn, GenerateRequest)]
        encoded = self._number(Encoded("generate", request.repeats, tuple(turns), error), pending.variant)
        self.ledger.extend(pending, replace(request, context=samples[0][0], follows=None), encoded)
        self._add_keys(encoded, pending.variant)
        return [turn for turn in encoded.requests if isinstance(turn, GenerateRequest)]

    @property
    def budgeted(self) -> bool:
        """Whether an answer may turn out to be a part, whose rest is asked for by another request."""
        return self._prepared.budget is not None

    def rest_of(self, id_: int, answer: Answer) -> GenerateRequest | None:
        """The request for the rest of an answer whose thought came to its budget; None if the answer is whole."""
        budget = self._prepared.budget
        if budget is None or not isinstance(answer, Generated) or id_ in self._firsts or not budget.goes_on(answer):
            return None
        pending, place, sample = self.ledger.place(id_)
        asked, encoded = pending.document.requests[place], pending.encoded[place].requests[sample]
        if not isinstance(encoded, GenerateRequest) or not isinstance(encoded.text, str):
            return None
        context = budget.prompt(encoded.text, answer)
        (follow_up,) = self._prepared.tokenizer.encode([replace(asked, context=context, follows=None, repeats=1)])
        if follow_up.error is not None:
            return None
        request = follow_up.requests[0]
        assert isinstance(request, GenerateRequest)
        seed = encoded.sampling.seed
        rest = replace(
            request,
            id=self.ledger.add_rest(id_),
            adapter=encoded.adapter,
            sample=encoded.sample,
            sampling=replace(request.sampling, seed=seed) if request.sampling.seed is None else request.sampling,
        )
        self._firsts[rest.id] = answer, rest
        self.keys[rest.id] = self._keyers[pending.variant].key(rest)
        return rest

    def whole(self, id_: int, answer: Answer) -> Answer:
        """An answer with its first part, where it is the rest of one."""
        budget, first = self._prepared.budget, self._firsts.get(id_)
        if budget is None or first is None or not isinstance(answer, Generated):
            return answer
        return budget.whole(first[0], answer, first[1].sampling)

    # ── inside ───────────────────────────────────────────────────────────────

    def _add_all(self) -> None:
        """Tokenise once; the requests of all adapters share the tokens."""
        prepared = self._prepared
        everything = [(task, document) for task, documents in prepared.documents.values() for document in documents]
        limit = prepared.tokenizer.max_length + prepared.kind.beyond_window
        encoded = iter(prepared.materials.encoded(prepared.tokenizer, prepared.documents, limit))
        sets = [(task, document, [next(encoded) for _ in asked_first(document)]) for task, document in everything]
        for variant in range(len(prepared.variants)):
            for task, document, parts in sets:
                first = self.ledger.next_id
                numbered = []
                for part in parts:
                    numbered.append(self._number(part, variant, first))
                    first += len(part.requests)
                    self._add_keys(numbered[-1], variant)
                self.ledger.add(Pending(variant, task, document, numbered))

    def _number(self, encoded: Encoded, variant: int, first: int | None = None) -> Encoded:
        """The requests with ids of this pass, the variant's adapter, and a seed if they are sampled."""
        first = self.ledger.next_id if first is None else first
        adapter = self._prepared.variants[variant].asked_of
        requests = []
        for offset, request in enumerate(encoded.requests):
            if isinstance(request, GenerateRequest) and request.sampling.temperature and request.sampling.seed is None:
                request = replace(request, sampling=replace(request.sampling, seed=self._seed))
            if isinstance(request, GenerateRequest) and self._prepared.budget is not None:
                sampling = replace(request.sampling, max_tokens=self._prepared.budget.tokens)
                request = replace(request, sampling=sampling)
            requests.append(replace(request, id=first + offset, adapter=adapter))
        return replace(encoded, requests=tuple(requests))

    def _add_keys(self, encoded: Encoded, variant: int) -> None:
        for request in encoded.requests:
            self.keys[request.id] = self._keyers[variant].key(request)

    def _encode_turn(self, request: Request, answers: list[str], sample: int) -> tuple[str, Encoded]:
        assert request.follows is not None
        context = request.follows(answers)
        (encoded,) = self._prepared.tokenizer.encode([replace(request, context=context, follows=None, repeats=1)])
        return context, encoded  # type: ignore[return-value]


def as_work(request: GenerateRequest) -> Generate:
    """An item of work that holds only this request."""
    return Generate((request.id,), request.prompt, request.sampling, (request.sample,), request.text, request.adapter)


def _text(answer: object) -> str:
    return answer.text if isinstance(answer, Generated) else ""
