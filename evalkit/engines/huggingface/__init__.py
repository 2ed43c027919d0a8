"""The transformers engine: every prompt token computed once, on a CPU or on GPUs.

engine          the loop: pulls work, scores and generates side by side, yields answers
options         --model-args, checked
model           loading, the forward pass with logits only where wanted
adapters        peft adapters side by side, each shown to work
memory          how much fits into one pass
trunks          beginnings that prompts share, and their keys and values
cache           a KV cache that starts from such a beginning and grows in place
score           log-probabilities of continuations
generate        one running batch that rows leave and join
generate_plain  one sample at a time, for models whose state cannot be cut and joined
sequence        one sample under way, and its next token
sampling        from logits to the next token
text            stop strings, reasoning traces, the answer's text
selftest        the fast ways against the plain way, before the first request
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.huggingface.engine import HuggingFaceEngine, load

__all__ = ["HuggingFaceEngine", "load"]


def __getattr__(name: str) -> Any:
    """The engine is imported when it is first used: its spec alone costs next to nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.engines.huggingface import engine

    return getattr(engine, name)
