"""The token requests of one request, and how their answers are combined."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.tokens.sampling import DEFAULT_MAX_TOKENS, sampling_of
from evalkit.types import Answer, Failed, GenerateRequest, Request, Scored, TokenRequest

__all__ = ["Encoded", "encode_text"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The token requests of one Request: one for a score, one per sample, or one per window of a rolling text."""

    kind: str
    repeats: int
    requests: tuple[TokenRequest, ...]
    error: str | None = None
    """Why the request cannot be asked; then there are no token requests."""

    @property
    def cut_tokens(self) -> int:
        return max((request.cut_tokens for request in self.requests), default=0)

    def fold(self, answers: Sequence[Answer | None]) -> list[Answer | None]:
        """Combine the answers to `requests`, in their order, into the `repeats` answers that the task scores."""
        if self.error is not None:
            return [Failed(-1, self.error)] * self.repeats
        if self.kind == "generate":
            return list(answers)
        if self.kind == "score":
            return [answers[0]] * self.repeats
        return [_total(answers)] * self.repeats


def _total(windows: Sequence[Answer | None]) -> Answer | None:
    """The log-probability of a text: the sum over its windows. If one failed or is missing, so is the sum."""
    failed = next((w for w in windows if isinstance(w, Failed)), None)
    if failed is not None:
        return failed
    scored = [w for w in windows if isinstance(w, Scored)]
    if len(scored) != len(windows):
        return None
    return Scored(scored[0].id if scored else -1, sum(w.logprob for w in scored), all(w.is_greedy for w in scored))


def encode_text(
    requests: Iterable[Request],
    *,
    first_id: int = 0,
    eos: str | None = None,
    max_gen_toks: int = DEFAULT_MAX_TOKENS,
    adapter: str | None = None,
) -> list[Encoded]:
    """Encode requests for servers that take text or messages: without token ids, and nothing is cut."""
    encoded = []
    for request in requests:
        if request.kind != "generate":
            error = "this engine returns text only: it cannot score given continuations"
            encoded.append(Encoded(request.kind, request.repeats, (), error))
            continue
        sampling = sampling_of(request.gen_kwargs, eos, max_gen_toks)
        made = tuple(
            GenerateRequest(first_id + i, array("i"), sampling, sample=i, text=request.context, adapter=adapter)
            for i in range(request.repeats)
        )
        first_id += len(made)
        encoded.append(Encoded("generate", request.repeats, made))
    return encoded
