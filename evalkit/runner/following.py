"""Later turns of conversations: asked as soon as the answers that they stand on are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from evalkit.config import RunConfig
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.preparing import Prepared
from evalkit.runner.requests import answer_key, own
from evalkit.tokens import Encoded
from evalkit.types import Generate, Generated, GenerateRequest, Request

__all__ = ["Followups"]


class Followups:
    """Makes the next turn's requests and holds them until somebody looks them up or asks them."""

    def __init__(self, prepared: Prepared, config: RunConfig, ledger: Ledger, keys: dict[int, bytes]) -> None:
        self._prepared = prepared
        self._seed = config.seed.torch
        self._ledger = ledger
        self._keys = keys
        self._new: deque[GenerateRequest] = deque()

    def add(self, pending: Pending) -> None:
        """The next turn of this conversation, with a key of its own for each sample."""
        request = pending.next_request()
        variant = self._prepared.variants[pending.variant]
        samples = [
            self._encode(request, [_text(given[sample]) for given in pending.received], sample)
            for sample in range(request.repeats)
        ]
        shown = replace(request, context=samples[0][0], follows=None)
        error = next((encoded.error for _, encoded in samples if encoded.error), None)
        made = [] if error else [(encoded.requests[0], number) for number, (_, encoded) in enumerate(samples)]
        asked = [replace(turn, sample=number) for turn, number in made if isinstance(turn, GenerateRequest)]
        whole = Encoded("generate", request.repeats, tuple(asked), error)
        encoded = own(whole, self._ledger.next_id, variant.asked_of, self._seed)
        self._ledger.extend(pending, shown, encoded)
        for turn in encoded.requests:
            if isinstance(turn, GenerateRequest):
                self._keys[turn.id] = answer_key(self._prepared, variant, turn)
                self._new.append(turn)

    def take(self) -> Iterator[GenerateRequest]:
        while self._new:
            yield self._new.popleft()

    def _encode(self, request: Request, answers: list[str], sample: int) -> tuple[str, Encoded]:
        assert request.follows is not None
        context = request.follows(answers)
        (encoded,) = self._prepared.tokenizer.encode([replace(request, context=context, follows=None, repeats=1)])
        return context, encoded  # type: ignore[return-value]


def as_work(request: GenerateRequest) -> Generate:
    return Generate((request.id,), request.prompt, request.sampling, (request.sample,), request.text, request.adapter)


def _text(answer: object) -> str:
    return answer.text if isinstance(answer, Generated) else ""
