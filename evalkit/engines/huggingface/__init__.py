"""The transformers engine: computes every shared prompt token once, on a CPU or on GPUs.

engine          the loop: takes work, scores and generates alternately, yields answers
options         checks --model-args
model           loads the model; the forward pass computes logits only where needed
adapters        loads several peft adapters and tests that each works
memory          limits what goes into one forward pass
prefixes        shared prefixes of prompts with their keys and values
cache           a KV cache that starts from a prefix and grows in place
score           log-probabilities of continuations
generate        generation in a continuous batch that rows leave and join
generate_plain  generation of one sample at a time, for models whose KV cache cannot be split
sequence        a sample that is being generated, and its next token
sampling        chooses the next token from logits
text            stop strings, reasoning traces, the answer's text
reading         marks spans, with an encoder that has a question-answering head
selftest        compares the fast paths with the plain path before the first request
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.huggingface.engine import HuggingFaceEngine, load

__all__ = ["HuggingFaceEngine", "load"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first used, so that importing its spec is fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.engines.huggingface import engine

    return getattr(engine, name)
