"""Every way in which a tokenizer can write a label as the first thing said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evalkit.judging.logprobs import label_of
from evalkit.judging.scale import Scale

__all__ = ["label_sequences"]

_LEADS = ("", " ", "\n")
_LONGEST_SPLIT = 3


def label_sequences(tokenizer: Any) -> Callable[[Scale], dict[tuple[int, ...], str]]:
    """`tokenizer` is a transformers tokenizer. The vocabulary is read once, when the first scale asks."""
    texts: dict[int, str] = {}
    known: dict[tuple[str, ...], dict[tuple[int, ...], str]] = {}

    def sequences(scale: Scale) -> dict[tuple[int, ...], str]:
        labels = tuple(scale)
        if labels not in known:
            if not texts:
                special = set(tokenizer.all_special_ids)
                ids = [i for i in range(len(tokenizer)) if i not in special]
                texts.update(zip(ids, tokenizer.batch_decode([[i] for i in ids]), strict=True))
            known[labels] = _sequences(tokenizer, scale, texts)
        return known[labels]

    return sequences


def _sequences(tokenizer: Any, scale: Scale, texts: dict[int, str]) -> dict[tuple[int, ...], str]:
    found: dict[tuple[int, ...], str] = {}
    for id_, text in texts.items():
        label = label_of(text, scale) if len(text) <= max(map(len, scale)) + 3 else None
        if label is not None:
            found[(id_,)] = label
    for label in scale:
        for lead in _LEADS:
            ids = tuple(tokenizer.encode(lead + label, add_special_tokens=False))
            if ids and label_of(tokenizer.decode(list(ids)), scale) == label:
                _add(found, ids, label)
        if scale.numeric and 1 < len(label) <= _LONGEST_SPLIT:
            for ids in _digit_by_digit(label, texts):
                _add(found, ids, label)
    return found


def _add(found: dict[tuple[int, ...], str], ids: tuple[int, ...], label: str) -> None:
    """A longer way of the same label that starts with a shorter one is in that one's mass already."""
    if all(found.get(ids[:n]) != label for n in range(1, len(ids))):
        found.setdefault(ids, label)


def _digit_by_digit(label: str, texts: dict[int, str]) -> Iterator[tuple[int, ...]]:
    """`1` then `0`, also where the tokenizer itself would write `10` as one: a model may say it either way."""
    for cut in range(1, len(label)):
        firsts = [i for i, text in texts.items() if text.lstrip() == label[:cut] and text == text.rstrip()]
        rests = [i for i, text in texts.items() if text == label[cut:]]
        yield from ((first, rest) for first in firsts for rest in rests)
