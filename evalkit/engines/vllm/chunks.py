"""Seeded sampling with chunked prefill on a CPU.

While a prompt is only partly read, vLLM samples a token and drops it, and then rewinds the request's random generator
with an offset that only GPU generators have: on a CPU the engine crashes. Here a temporary generator is used for a
partly read prompt, so a sample does not depend on how its prompt was split.
"""

from __future__ import annotations

from typing import Any

__all__ = ["keep_generators_of_partly_read_prompts"]


def keep_generators_of_partly_read_prompts() -> bool:
    """Patch vLLM in this process; returns whether this version can be patched."""
    try:
        from vllm.v1.worker.cpu_model_runner import CPUModelRunner as Runner
    except ImportError:
        return False
    sample, book = getattr(Runner, "_sample", None), getattr(Runner, "_bookkeeping_sync", None)
    if sample is None or book is None:
        return False

    def careful_sample(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._kept_generators = _replace_generators(self)
        return sample(self, *args, **kwargs)

    def careful_book(self: Any, *args: Any, **kwargs: Any) -> Any:
        kept, generators = self.__dict__.pop("_kept_generators", {}), self.input_batch.generators
        for place in kept:
            del generators[place]
        try:
            return book(self, *args, **kwargs)
        finally:
            generators.update(kept)

    Runner._sample = careful_sample
    Runner._bookkeeping_sync = careful_book
    return True


def _replace_generators(runner: Any) -> dict[int, Any]:
    """Replace the generators of requests whose token of this step will be dropped; returns the original ones.

    They are replaced and not removed: without a generator, some versions sample all rows with a shared one.
    """
    import torch

    mask = getattr(runner, "discard_request_mask", None)
    generators = getattr(runner.input_batch, "generators", None)
    if mask is None or not generators:
        return {}
    kept = {place: generator for place, generator in generators.items() if mask.np[place]}
    generators.update({place: torch.Generator() for place in kept})
    return kept
