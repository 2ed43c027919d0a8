"""The vLLM engine: computes every shared prompt token once.

engine      the harness's side: starts the worker, sends it work, yields its answers
messages    the messages between the two at the start
process     the worker's process, which ends with the harness
worker      the worker's side: vLLM's step loop                 (the only process that imports vllm)
starting    prepares arguments, adapters and self-test before the loop
client      sends requests to vLLM and reads its outputs, for all supported versions
arguments   checks --model-args by the argument names of the installed version
scoring     chooses the requests that score a context's continuations
rows        keeps a prompt's log-probabilities packed until they are read
blocks      chooses the block size of the prefix cache on a CPU
chunks      makes seeded samples independent of chunked prefill on a CPU
generating  sampling parameters, seeds, stop strings, reasoning
selftest    compares the fast way with the plain way, and each adapter with the base
trouble     explains an error in one line, with a remedy
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.engines.vllm.engine import VllmEngine, load

__all__ = ["VllmEngine", "load"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is first used, so that importing its spec is fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.engines.vllm import engine

    return getattr(engine, name)
