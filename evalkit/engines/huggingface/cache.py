"""A KV cache that starts from a shared prefix and grows in place.

The dynamic cache of transformers concatenates at every step, which copies the whole cache for each generated token.
"""

from __future__ import annotations

from functools import partial

import torch
from transformers.cache_utils import Cache, DynamicLayer

__all__ = ["KeyValues", "cache_over", "left_padded", "read"]

KeyValues = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values for each layer, [rows, heads, tokens, width]."""


class _GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A layer that keeps all tokens, even with a sliding window: the attention mask then applies the window."""

    def __init__(
        self,
        keys: torch.Tensor | None = None,
        values: torch.Tensor | None = None,
        length: int = 0,
        room: int = 0,
    ) -> None:
        super().__init__()
        self._room = room
        self._length = length
        self._buffers: tuple[torch.Tensor | None, torch.Tensor | None] = (keys, values)
        if keys is not None and values is not None:
            self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
            self.keys, self.values = keys[:, :, :length], values[:, :, :length]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        keys = self._appended(self._buffers[0], key_states)
        values = self._appended(self._buffers[1], value_states)
        self._buffers = (keys, values)
        self._length += key_states.shape[-2]
        self.keys, self.values = keys[:, :, : self._length], values[:, :, : self._length]
        return self.keys, self.values

    def _appended(self, old: torch.Tensor | None, new: torch.Tensor) -> torch.Tensor:
        rows, heads, added, width = new.shape
        length = self._length + added
        if old is None and not self._room:
            return new
        # A prefix from outside has no free space after it, so it is copied and never written to.
        if old is None or old.shape[0] != rows or old.shape[-2] < length:
            grown = new.new_empty((rows, heads, length + self._room, width))
            if old is not None:
                grown[:, :, : self._length] = old[:, :, : self._length]
            old = grown
        old[:, :, self._length : length] = new
        return old

    def get_seq_length(self, *args: object) -> int:
        return self._length


def cache_over(beginning: KeyValues | None, *, length: int = 0, room: int = 0) -> Cache:
    """A cache with the first `length` tokens of the prefix `beginning`, which has one row or a row for each prompt.

    `room`: the number of free tokens to allocate whenever it grows.
    """
    if beginning is None:
        # The number of layers is known only to the model: they are created when it accesses them.
        return Cache(layer_class_to_replicate=partial(_GrowingLayer, room=room))
    return Cache(layers=[_GrowingLayer(keys, values, length, room) for keys, values in beginning])


def read(cache: Cache) -> KeyValues:
    return [(layer.keys, layer.values) for layer in cache.layers]


def left_padded(parts: list[tuple[KeyValues, list[tuple[int, int, int]]]], length: int, room: int) -> KeyValues:
    """One cache for decoding, with rows of different lengths that all end at `length`.

    `parts`: for each source, the (row, start, stop) to keep. `room`: the number of free tokens at the end.
    """
    rows = sum(len(kept) for _, kept in parts)
    made: KeyValues = []
    for layer in range(len(parts[0][0])):
        pair = []
        for side in (0, 1):
            like = parts[0][0][layer][side]
            _, heads, _, width = like.shape
            # Zeros and not uninitialised memory: a masked NaN would still make the attention's sum NaN.
            whole = like.new_zeros((rows, heads, length + room, width))
            at = 0
            for source, kept in parts:
                held = source[layer][side]
                for row, start, stop in kept:
                    whole[at, :, length - (stop - start) : length] = held[row, :, start:stop]
                    at += 1
            pair.append(whole)
        made.append((pair[0], pair[1]))
    return made
