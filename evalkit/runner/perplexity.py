"""The log-probability of answers behind their prompts, under any model: what a change costs in fluency."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from evalkit.detectors import RatedAnswer
from evalkit.engines.spec import EngineSettings, check_ability, choose, start
from evalkit.errors import EngineError
from evalkit.journal import Journal, Keyer
from evalkit.tokens import Encoded
from evalkit.types import Arguments, Failed, Request, Score, Scored, ScoreRequest

__all__ = ["ModelLogProbability"]


@dataclass(frozen=True)
class ModelLogProbability:
    """Scores answers under a model; the journal of `output_path` keeps what it said."""

    typed: str
    model_args: Arguments
    output_path: Path
    engine: str = "auto"

    def __call__(self, answers: Sequence[RatedAnswer]) -> list[tuple[float, int] | None]:
        kind = choose(self.engine)
        check_ability(kind, "score", "--perplexity-under")
        model = kind.find_model(self.typed, self.model_args, False)
        tokenizer = kind.load_tokenizer(model)
        texts = [(answer.prompt, answer.output or "") for answer in answers]
        limit = tokenizer.max_length + kind.beyond_window
        encoded = tokenizer.encode(
            [Request("score", prompt, text) for prompt, text in texts if text], score_limit=limit
        )
        parts = iter(encoded)
        requests = [_request(next(parts), place) if text else None for place, (_, text) in enumerate(texts)]
        asked = [request for request in requests if request is not None]
        keyer = Keyer(model.key(None), kind.semantics)
        values: dict[int, float] = {}
        with ExitStack() as stack:
            journal = stack.enter_context(Journal.open(self.output_path))
            journal.name_model(model.key(None), self.typed)
            keys = {request.id: keyer.key(request) for request in asked}
            values |= {kept.id: kept.logprob for kept in journal.get_many(keys.items()) if isinstance(kept, Scored)}
            missing = [request for request in asked if request.id not in values]
            if missing:
                running = start(kind, model.spec, tokenizer, [], EngineSettings())
                stack.callback(running.close)
                work = (Score((request.id,), request.context, (request.continuation,)) for request in missing)
                for answer in running.run(work):
                    if isinstance(answer, Failed):
                        raise EngineError(f"an answer could not be scored under {self.typed}: {answer.reason}")
                    if isinstance(answer, Scored):
                        journal.put(keys[answer.id], answer)
                        values[answer.id] = answer.logprob
            journal.flush()
        if without := sum(request.id not in values for request in asked):
            raise EngineError(
                f"{kind.name} ended without the log-probabilities of {without} answers under {self.typed}; the same"
                " command asks for them again"
            )
        return [None if request is None else (values[request.id], len(request.continuation)) for request in requests]


def _request(encoded: Encoded, place: int) -> ScoreRequest | None:
    """None for an answer that does not fit into the model's window, whole."""
    request = encoded.requests[0] if encoded.requests else None
    if not isinstance(request, ScoreRequest) or not request.continuation:
        return None
    return ScoreRequest(place, request.context, request.continuation)
