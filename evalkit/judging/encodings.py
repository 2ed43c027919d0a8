"""Every way in which a tokenizer can write a label as the first thing said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalkit.judging.logprobs import label_of
from evalkit.judging.scale import Scale

__all__ = ["label_sequences"]

_LEADS = ("", " ", "\n")


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
            text = tokenizer.decode(list(ids))
            # A longer way of the same label that starts with a shorter one is in that one's mass already.
            starts = [found.get(ids[:n]) for n in range(1, len(ids))]
            if ids and label_of(text, scale) == label and label not in starts:
                found.setdefault(ids, label)
    return found
