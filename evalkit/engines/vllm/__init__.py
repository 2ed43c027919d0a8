"""The vLLM engine: every prompt token computed once.

engine      the harness's side: starts the worker, hands it work, yields its answers
messages    what the two tell each other at the start
process     the worker's process: a session of its own that never outlives the harness
worker      the worker's side: vLLM's step loop                 (the only process that imports vllm)
starting    arguments, adapters and self-test, before the loop
client      a request to vLLM and what came back, across versions
arguments   --model-args against the installed version's own names
scoring     which requests score a context's continuations, and where each log-probability is read
rows        a prompt's own log-probabilities, unpacked only where they are read
blocks      how many tokens the prefix cache keeps together on a CPU
chunks      seeded samples of prompts that are read in several steps
generating  sampling parameters, seeds, stop strings, reasoning
selftest    the fast way against the plain way; each adapter against the base
trouble     what went wrong, in one line that says what would help
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.vllm.engine import VllmEngine, load

__all__ = ["VllmEngine", "load"]


def __getattr__(name: str) -> Any:
    """The engine is imported when it is first used: its spec alone costs next to nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.engines.vllm import engine

    return getattr(engine, name)
