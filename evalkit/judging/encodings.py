"""Finds all token sequences with which a tokenizer can write a label at the beginning of a reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evalkit.judging.logprobs import label_of
from evalkit.judging.scale import Scale

__all__ = ["label_sequences"]

_LEADS = ("", " ", "\n")
_LONGEST_SPLIT = 3


def label_sequences(tokenizer: Any) -> Callable[[Scale], dict[tuple[int, ...], str]]:
    """A function from a scale to its sequences. `tokenizer` is of transformers; its vocabulary is read once."""
    texts: dict[int, str] = {}
    by_labels: dict[tuple[str, ...], dict[tuple[int, ...], str]] = {}

    def sequences_of(scale: Scale) -> dict[tuple[int, ...], str]:
        labels = tuple(scale)
        if labels not in by_labels:
            if not texts:
                special = set(tokenizer.all_special_ids)
                ids = [i for i in range(len(tokenizer)) if i not in special]
                texts.update(zip(ids, tokenizer.batch_decode([[i] for i in ids]), strict=True))
            by_labels[labels] = _sequences(tokenizer, scale, texts)
        return by_labels[labels]

    return sequences_of


def _sequences(tokenizer: Any, scale: Scale, texts: dict[int, str]) -> dict[tuple[int, ...], str]:
    sequences: dict[tuple[int, ...], str] = {}
    for id_, text in texts.items():
        label = label_of(text, scale) if len(text) <= max(map(len, scale)) + 3 else None
        if label is not None:
            sequences[(id_,)] = label
    for label in scale:
        for lead in _LEADS:
            ids = tuple(tokenizer.encode(lead + label, add_special_tokens=False))
            if ids and label_of(tokenizer.decode(list(ids)), scale) == label:
                _add(sequences, ids, label)
        if scale.numeric and 1 < len(label) <= _LONGEST_SPLIT:
            for ids in _digit_by_digit(label, texts):
                _add(sequences, ids, label)
    return sequences


def _add(sequences: dict[tuple[int, ...], str], ids: tuple[int, ...], label: str) -> None:
    """Add a sequence, unless it starts with a shorter one of the same label, whose probability includes it."""
    if all(sequences.get(ids[:n]) != label for n in range(1, len(ids))):
        sequences.setdefault(ids, label)


def _digit_by_digit(label: str, texts: dict[int, str]) -> Iterator[tuple[int, ...]]:
    """`1` then `0`, also if the tokenizer writes `10` as one token: a model may generate either."""
    for cut in range(1, len(label)):
        firsts = [i for i, text in texts.items() if text.lstrip() == label[:cut] and text == text.rstrip()]
        rests = [i for i, text in texts.items() if text == label[cut:]]
        yield from ((first, rest) for first in firsts for rest in rests)
