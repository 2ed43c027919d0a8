"""Encodes long, similar texts in pieces, each piece once, with exactly the tokens of the whole text.

Few-shot prompts repeat their examples thousands of times, and each context is encoded again with every continuation.
A text is cut before a space that follows another character. The pieces can be encoded separately if no token crosses
such a place, which the vocabulary shows; the result is also compared with whole texts first.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from evalkit.types import TokenIds

__all__ = ["Pieces"]

_PIECE = 128
"""The least number of characters in a piece, except at the end of a text."""
_REMEMBERED = 50_000
_TRIED = 24
_TRIED_CHARACTERS = 3_000
_PROBE = (
    "Question: A train leaves at 9:45, 12 km away; it's 3.50 dollars!  Two  blanks,\ttabs\n\n  and lines.\n"
    "def f(x, y=[1, 22, 333]):\n    return {'a': x ** 2, \"b\": -y}  # done\n\n"
    "한국어 문장은 이렇게 이어집니다. 정답은 무엇일까요?\n"
    "Ünïcödé, 日本語 テキスト, emoji 🙂 🙃 end. (A) first (B) second </s> <s> ### Response: I'll we've they'd  "
)

_PLACE = re.compile(r"(?<=\S) ")
_CUT = re.compile(r"(?<=\S) (?!\Z)")
"""Where a text is cut. Not before its last character: without the space nothing would be left of that piece, and a
tokenizer adds no space before an empty text."""


class Pieces:
    """Encodes texts in pieces, without special tokens."""

    def __init__(self, hf: Any, *, drops_space: bool) -> None:
        self._hf = hf
        self._drops_space = drops_space
        self._known: dict[str, TokenIds] = {}
        self._added = tuple(token.content for token in getattr(hf, "added_tokens_decoder", {}).values())

    @classmethod
    def over(cls, hf: Any, texts: Sequence[str]) -> Pieces | None:
        """Pieces for this tokenizer, tried on `texts`; None if it would give other tokens than for whole texts.

        If the tokenizer adds a space before every text, later pieces are encoded without their leading space.
        """
        if not _no_token_crosses(hf):
            return None
        tried = [text[:_TRIED_CHARACTERS] for text in sorted(texts, key=len, reverse=True)[:_TRIED]]
        tried += [_PROBE, _PROBE[1:] + _PROBE]
        whole = _encode(hf, tried)
        for drops_space in (False, True):
            pieces = cls(hf, drops_space=drops_space)
            if pieces.encode(tried) == whole:
                return pieces
        return None

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """The token ids of each text."""
        cut = [self._cut(text) for text in texts]
        new = list(dict.fromkeys(piece for parts in cut for piece in parts if piece not in self._known))
        self._known.update(zip(new, self._encode(new), strict=True))
        encoded = []
        for parts in cut:
            tokens = array("i")
            for piece in parts:
                tokens.extend(self._known[piece])
            encoded.append(tokens)
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        return encoded

    def _encode(self, pieces: list[str]) -> list[TokenIds]:
        """Encode the pieces. Later pieces are marked, so that they are not mixed up with the beginning of a text."""
        if not self._drops_space:
            return _encode(self._hf, pieces)
        return _encode(self._hf, [piece[2:] if piece.startswith("\0 ") else piece for piece in pieces])

    def _cut(self, text: str) -> list[str]:
        if self._drops_space and "\0" in text:
            return [text]
        places, at = [0], _PIECE
        while (place := _CUT.search(text, at)) is not None:
            at = place.end()
            if not self._drops_space or not self._beside_added(text, place):
                places.append(place.start())
                at = place.start() + _PIECE
        parts = [text[start:end] for start, end in pairwise([*places, len(text)])]
        if self._drops_space:
            parts[1:] = [f"\0{part}" for part in parts[1:]]
        return parts

    def _beside_added(self, text: str, place: re.Match[str]) -> bool:
        """Whether an added token ends or begins here: there such a tokenizer begins a new text."""
        return text.startswith(self._added, place.end()) or text.endswith(self._added, 0, place.start())


def _encode(hf: Any, texts: list[str]) -> list[TokenIds]:
    if not texts:
        return []
    batch = hf(texts, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False, verbose=False)
    return [array("i", ids) for ids in batch["input_ids"]]


def _no_token_crosses(hf: Any) -> bool:
    """Whether no token has a space after another character, and no added token includes spaces beside it."""
    if not getattr(hf, "is_fast", False):
        return False
    added = getattr(hf, "added_tokens_decoder", {}).values()
    if any(token.rstrip or token.single_word or _PLACE.search(token.content) for token in added):
        return False
    byte_level = _bytes_of_characters()
    names = {token.content for token in added}
    return not any(_crosses(token, byte_level) for token in hf.get_vocab() if token not in names)


def _crosses(token: str, byte_level: dict[str, int]) -> bool:
    if "▁" in token and re.search(r"[^\s▁]▁", token):
        return True
    if "Ġ" not in token[1:]:
        return _PLACE.search(token) is not None
    if not all(character in byte_level for character in token):
        return True
    text = bytes(byte_level[character] for character in token).decode("utf-8", errors="replace")
    return _PLACE.search(text) is not None


def _bytes_of_characters() -> dict[str, int]:
    """The byte of each character in byte-level vocabularies: bytes that are not printable begin at 256 (space is Ġ)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
