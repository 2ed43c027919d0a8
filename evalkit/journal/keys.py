"""What determines an answer, as 24 bytes: 8 for whose it is, 16 for what was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from evalkit.types import Message, Prompt, Sampling, ScoreRequest, TokenRequest

__all__ = ["Keyer", "key", "owner_of"]

_OWNER_BYTES = 8
_REQUEST_BYTES = 16


def owner_of(fingerprint: str) -> bytes:
    """The first bytes of every key of a model."""
    return blake2b(fingerprint.encode(), digest_size=_OWNER_BYTES, person=b"owner").digest()


def key(fingerprint: str, request: TokenRequest, semantics: str) -> bytes:
    """The key of one request; see `Keyer` for many."""
    return Keyer(fingerprint, semantics).key(request)


class Keyer:
    """Keys for one model (an adapter makes it another one) under one engine's semantics, such as `vllm/1`.

    Of a request, `id`, `adapter` and `cut_tokens` don't count: the adapter is a name here, and what it stands for
    belongs into the fingerprint; what was cut is not in the ids. Batch size and parallelism are never seen.
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
            # Where the engine gets ids, the text that they came from changes nothing.
            if not request.prompt:
                digest.update(_prompt(request.text))
        return self.owner + digest.digest()

    def of_json(self, parts: Any) -> bytes:
        """The key of a request of another kind, such as a judge's call with its own options."""
        digest = self._start.copy()
        digest.update(b"J" + _canonical(parts))
        return self.owner + digest.digest()

    def _sampling(self, sampling: Sampling) -> bytes:
        try:
            kept = self._samplings.get(sampling)
        except TypeError:  # a list among the engine's own knobs
            return _canonical(_what_matters(sampling))
        if kept is None:
            kept = self._samplings[sampling] = _canonical(_what_matters(sampling))
        return kept


def _what_matters(sampling: Sampling) -> dict[str, Any]:
    """Without randomness, seed and the shape of the distribution change nothing."""
    matters: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
        "repetition_penalty": float(sampling.repetition_penalty),
        "extra": [[name, value] for name, value in sampling.extra],
    }
    if sampling.temperature > 0:
        matters |= {
            "temperature": float(sampling.temperature),
            "top_p": float(sampling.top_p),
            "top_k": max(sampling.top_k, 0),
            "min_p": float(sampling.min_p),
            "seed": sampling.seed,
        }
    return matters


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
