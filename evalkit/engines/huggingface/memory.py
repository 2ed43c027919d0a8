"""Limits what goes into one forward pass: estimated from the free memory, and halved after an out-of-memory error."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.engines.huggingface.model import Model
from evalkit.engines.huggingface.options import Options

__all__ = ["Budget"]

_TOKENS_ON_GPU = 16384
_TOKENS_ON_CPU = 2048
"""Beyond these sizes, a larger pass is not faster per token."""

_ROWS_GENERATING_ON_GPU = 256
_ROWS_GENERATING_ON_CPU = 32

_LAUNCH_ON_GPU = 512
_LAUNCH_ON_CPU = 48
"""The cost of one more pass, in tokens: below it, padding and repeated tokens are cheaper than another pass."""


@dataclass(slots=True)
class Budget:
    """The limits of a forward pass, and the bytes that its parts need."""

    bytes: int
    tokens: int
    rows: int
    generating: int
    launch: int
    kv_token: int
    activation_token: int
    logit_row: int
    attention_cell: int
    """Bytes for one (query, key) pair of a pass: the mask's, or all heads' scores for eager attention."""

    @classmethod
    def of(cls, model: Model, options: Options) -> Budget:
        config = getattr(model.net.config, "text_config", None) or model.net.config
        gpu = model.device.type == "cuda"
        size = model.dtype.itemsize
        hidden = int(getattr(config, "hidden_size", 4096))
        inner = int(getattr(config, "intermediate_size", None) or 4 * hidden)
        heads = int(getattr(config, "num_attention_heads", 32))
        kv = model.checkpoint.kv_bytes_per_token
        tokens = options.max_batch_tokens or (_TOKENS_ON_GPU if gpu else _TOKENS_ON_CPU)
        most = _ROWS_GENERATING_ON_GPU if gpu else _ROWS_GENERATING_ON_CPU
        free = model.free_bytes()
        return cls(
            bytes=int(free * 0.8) if gpu else min(free // 2, 6 << 30),
            tokens=tokens,
            rows=options.batch_size or 1024,
            generating=min(options.batch_size or most, most),
            launch=_LAUNCH_ON_GPU if gpu else _LAUNCH_ON_CPU,
            kv_token=(kv // 2 if kv else 4 * hidden * int(getattr(config, "num_hidden_layers", 32))) * size,
            activation_token=(10 * hidden + 3 * inner) * size,
            # The logits, their float32 copy and the softmax's result.
            logit_row=max(model.vocab.values()) * (size + 8),
            attention_cell=size if model.attention != "eager" else 2 * heads * size,
        )

    def cost(self, rows: int, beginning: int, length: int, logits: int) -> int:
        """The bytes for a pass of `rows` rows of `length` tokens after a shared prefix of `beginning` tokens."""
        whole = beginning + length
        return (
            rows * whole * self.kv_token
            + rows * length * (self.activation_token + whole * self.attention_cell)
            + logits * self.logit_row
        )

    def fits(self, rows: int, beginning: int, length: int, logits: int) -> bool:
        return (
            rows <= self.rows
            and rows * length <= self.tokens
            and self.cost(rows, beginning, length, logits) <= self.bytes
        )

    def fits_generating(self, rows: int, length: int) -> bool:
        """Whether so many rows of `length` tokens fit for decoding. Half of the memory is left for scoring."""
        return rows <= self.generating and rows * length * self.kv_token <= self.bytes // 2

    def shrink(self) -> None:
        """Halve the limits after an out-of-memory error."""
        self.bytes //= 2
        self.tokens = max(256, self.tokens // 2)
        self.generating = max(1, self.generating // 2)
