"""Encodes answers as JSON, and computes the checksum of a key and its answer."""

from __future__ import annotations

import json
import math
import zlib
from typing import get_args

from evalkit.scrub import Scrubber
from evalkit.types import Finish, Generated, Scored

__all__ = ["Record", "checksum", "decode", "encode"]

Record = Scored | Generated
_compact = json.JSONEncoder(separators=(",", ":")).encode
_FINISHES = get_args(Finish)


def encode(answer: Record, scrubber: Scrubber) -> bytes | None:
    """The stored form of an answer; None for a failed one, which has to be asked again."""
    if isinstance(answer, Scored):
        if math.isnan(answer.logprob):
            return None
        # repr gives the shortest text that reads back as the same float; JSON has no infinity.
        number = repr(float(answer.logprob)) if math.isfinite(answer.logprob) else f'"{answer.logprob}"'
        return f'{{"logprob":{number},"greedy":{"true" if answer.is_greedy else "false"}}}'.encode()
    if answer.finish == "error":
        return None
    out: dict[str, object] = {"text": scrubber.text(answer.text), "finish": answer.finish, "tokens": int(answer.tokens)}
    if answer.reasoning is not None:
        out["reasoning"] = scrubber.text(answer.reasoning)
    # ASCII, so that a lone surrogate, which a model can emit, can be stored too.
    return _compact(out).encode()


def decode(value: bytes, request_id: int) -> Record:
    """The answer to a request. Raises ValueError if the value is not a stored answer."""
    try:
        content = json.loads(value)
        if "logprob" in content:
            return Scored(request_id, float(content["logprob"]), bool(content["greedy"]))
        if content["finish"] not in _FINISHES:
            raise ValueError(content["finish"])
        text, reasoning = content["text"], content.get("reasoning")
        return Generated(request_id, text, content["finish"], int(content["tokens"]), reasoning)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no answer: {error}") from None


def checksum(key: bytes, value: bytes) -> int:
    """The CRC-32 of key and value."""
    return zlib.crc32(value, zlib.crc32(key))
