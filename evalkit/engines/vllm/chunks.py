"""Seeded samples of prompts that are read in several steps, on a CPU.

After each such step but the last vLLM takes back the dice it threw for a token that it drops, by a counter that only
a GPU's generator has: on a CPU the engine dies. Here other dice are thrown for a half-read prompt, so a sample is the
same however its prompt was cut up.
"""

from __future__ import annotations

from typing import Any

__all__ = ["keep_dice_of_half_read_prompts"]


def keep_dice_of_half_read_prompts() -> bool:
    """Whether this version lets us; in this process only."""
    try:
        from vllm.v1.worker.cpu_model_runner import CPUModelRunner as Runner
    except ImportError:
        return False
    sample, book = getattr(Runner, "_sample", None), getattr(Runner, "_bookkeeping_sync", None)
    if sample is None or book is None:
        return False

    def careful_sample(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._kept_dice = _lend_others(self)
        return sample(self, *args, **kwargs)

    def careful_book(self: Any, *args: Any, **kwargs: Any) -> Any:
        kept, generators = self.__dict__.pop("_kept_dice", {}), self.input_batch.generators
        for place in kept:
            del generators[place]
        try:
            return book(self, *args, **kwargs)
        finally:
            generators.update(kept)

    Runner._sample = careful_sample
    Runner._bookkeeping_sync = careful_book
    return True


def _lend_others(runner: Any) -> dict[int, Any]:
    """The generators of requests whose token of this step will be dropped; others stand in their places.

    None may be missing: some versions throw one die for all rows then.
    """
    import torch

    mask = getattr(runner, "discard_request_mask", None)
    generators = getattr(runner.input_batch, "generators", None)
    if mask is None or not generators:
        return {}
    kept = {place: generator for place, generator in generators.items() if mask.np[place]}
    generators.update({place: torch.Generator() for place in kept})
    return kept
