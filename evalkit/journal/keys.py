"""The journal key of an answer, 24 bytes: 8 for the model, 16 for the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from evalkit.types import JsonObject, Message, Prompt, Sampling, ScoreRequest, TokenRequest

__all__ = ["Keyer", "key", "owner_of"]

_OWNER_BYTES = 8
_REQUEST_BYTES = 16


def owner_of(fingerprint: str) -> bytes:
    """The first 8 bytes of all keys of a model."""
    return blake2b(fingerprint.encode(), digest_size=_OWNER_BYTES, person=b"owner").digest()


def key(fingerprint: str, request: TokenRequest, semantics: str) -> bytes:
    """The key of one request; for many requests use `Keyer`."""
    return Keyer(fingerprint, semantics).key(request)


class Keyer:
    """Makes the keys for one model (with an adapter it is another model) under one engine's semantics, e.g. `vllm/1`.

    A request's `id`, `adapter` and `cut_tokens` are not part of the key: the adapter's weights are in the fingerprint,
    and tokens that were cut are not in the prompt. Batch size and parallelism are not part of it either.
    """

    def __init__(self, fingerprint: str, semantics: str) -> None:
        self.fingerprint = fingerprint
        self.semantics = semantics
        self.owner = owner_of(fingerprint)
        self._start = blake2b(semantics.encode() + b"\0", digest_size=_REQUEST_BYTES, person=b"request")
        self._samplings: dict[Sampling, bytes] = {}

    def key(self, request: TokenRequest) -> bytes:
        digest = self._start.copy()
        if isinstance(request, ScoreRequest):
            digest.update(b"S%d:" % len(request.context))
            digest.update(request.context)
            digest.update(request.continuation)
        else:
            digest.update(b"G%d:" % len(request.prompt))
            digest.update(request.prompt)
            digest.update(b"%d:" % request.sample)
            digest.update(self._sampling(request.sampling))
            # If the engine gets token ids, the text that they came from has no effect on the answer.
            if not request.prompt:
                digest.update(_prompt(request.text))
        return self.owner + digest.digest()

    def of_json(self, parts: Any) -> bytes:
        """The key of another kind of request, such as a judge's call with its options."""
        digest = self._start.copy()
        digest.update(b"J" + _canonical(parts))
        return self.owner + digest.digest()

    def _sampling(self, sampling: Sampling) -> bytes:
        try:
            cached = self._samplings.get(sampling)
        except TypeError:  # not hashable: the engine's extra options hold a list
            return _canonical(_relevant(sampling))
        if cached is None:
            cached = self._samplings[sampling] = _canonical(_relevant(sampling))
        return cached


def _relevant(sampling: Sampling) -> JsonObject:
    """The options that affect the answer: at temperature 0, the seed and options such as top_p do not."""
    options: dict[str, object] = {
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
        "repetition_penalty": float(sampling.repetition_penalty),
        "extra": [[name, value] for name, value in sampling.extra],
    }
    if sampling.temperature > 0:
        options |= {
            "temperature": float(sampling.temperature),
            "top_p": float(sampling.top_p),
            "top_k": max(sampling.top_k, 0),
            "min_p": float(sampling.min_p),
            "seed": sampling.seed,
        }
    return options


def _prompt(text: Prompt) -> bytes:
    if isinstance(text, str):
        return b"T" + text.encode("utf-8", "surrogatepass")
    return b"M" + _canonical([_message(message) for message in text])


def _message(message: Message) -> list[str]:
    return [message.role, message.content]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return repr(value)
