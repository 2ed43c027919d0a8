"""Finds the token in which a label starts.

A server sends a reply's text and its tokens, which may not belong together. A score is read only from tokens that spell
the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["token_of"]

_RAW_SPACES = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n"})
"""How some servers write the spaces of a vocabulary."""
_RAW_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")
"""How OpenAI writes a token that is a part of a character."""
_MARK = re.compile(r"\s*(?:<[^<>]{1,60}>|\[[^\[\]]{1,60}\])?\s*")
"""A token that ends a reply without being text: `</s>`, `<|im_end|>`, `[EOS]`."""


def token_of(tokens: Sequence[str], text: str, offset: int) -> int | None:
    """The index of the token that holds the character at `offset` of the text; None where they spell another text.

    Before the text there may be other tokens (a reasoning model's thoughts), after it only end marks.
    """
    pieces = [_bytes(token) for token in tokens]
    first = len(text) - len(text.lstrip())
    wanted = _utf8(text.strip())
    spelled = b"".join(pieces)
    if not wanted:
        return 0 if tokens and all(map(_ends_text, tokens)) else None
    start = spelled.rfind(wanted)
    if start < 0:
        return None
    starts = _starts(pieces)
    begins, ends = _token_at(starts, start), _token_at(starts, start + len(wanted) - 1)
    before = spelled[starts[begins] : start]
    behind = spelled[start + len(wanted) : starts[ends] + len(pieces[ends])]
    if _is_text(before) or _is_text(behind) or not all(map(_ends_text, tokens[ends + 1 :])):
        return None
    return _token_at(starts, start + len(_utf8(text[first : max(first, offset)])))


def _bytes(token: str) -> bytes:
    match = _RAW_BYTES.fullmatch(token)
    return bytes.fromhex(match[1].replace("\\x", "")) if match else _utf8(token.translate(_RAW_SPACES))


def _is_text(piece: bytes) -> bool:
    return bool(piece.decode("utf-8", "replace").strip())


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _ends_text(token: str) -> bool:
    return _MARK.fullmatch(token.translate(_RAW_SPACES)) is not None


def _starts(pieces: Sequence[bytes]) -> list[int]:
    starts, end = [], 0
    for piece in pieces:
        starts.append(end)
        end += len(piece)
    return starts


def _token_at(starts: Sequence[int], place: int) -> int:
    """The last token that starts at or before the place. Empty tokens hold nothing, so the last one is meant."""
    return bisect_right(starts, place) - 1
