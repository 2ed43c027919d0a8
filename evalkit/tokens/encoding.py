"""What one Request becomes in tokens, and how its answers are put together again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.tokens.sampling import DEFAULT_MAX_TOKENS, sampling_of
from evalkit.types import Answer, Failed, GenerateRequest, Request, Scored, TokenRequest

__all__ = ["Encoded", "encode_text"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The token requests of one Request: one for a score, one per sample, one per window of a rolling text."""

    kind: str
    repeats: int
    requests: tuple[TokenRequest, ...]
    error: str | None = None
    """Why it cannot be asked at all. There are no token requests then."""

    @property
    def cut_tokens(self) -> int:
        return max((request.cut_tokens for request in self.requests), default=0)

    def fold(self, answers: Sequence[Answer | None]) -> list[Answer | None]:
        """Answers in the order of `requests` → the `repeats` answers that Task.score takes."""
        if self.error is not None:
            return [Failed(-1, self.error)] * self.repeats
        if self.kind == "generate":
            return list(answers)
        if self.kind == "score":
            return [answers[0]] * self.repeats
        return [_total(answers)] * self.repeats


def _total(windows: Sequence[Answer | None]) -> Answer | None:
    """A text's log-probability is the sum over its windows; one that is missing or failed leaves none."""
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
    """For servers that take text or messages: no token ids, nothing is cut."""
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
