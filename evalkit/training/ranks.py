"""Helpers of the callback for distributed training: the trainer's log, agreement of all ranks, sharded weights."""

from __future__ import annotations

import sys
from typing import Any

from evalkit.errors import UsageError

__all__ = ["all_ranks_hear", "plain_log", "refuse_sharded", "several_ranks"]


def plain_log(trainer: Any, figures: dict[str, float]) -> None:
    """Log figures as transformers' Trainer does.

    TRL's own `log` would add the averages of its training metrics up to here, and begin them anew.
    """
    from transformers import Trainer

    if isinstance(trainer, Trainer):
        Trainer.log(trainer, figures)
    else:
        trainer.log(figures)


def several_ranks() -> bool:
    """Whether this process is one of several that train together."""
    import torch.distributed as ranks

    return bool(ranks.is_available() and ranks.is_initialized() and ranks.get_world_size() > 1)


def all_ranks_hear(stop: bool) -> bool:
    """The decision of rank 0, in every rank. If one rank stopped alone, the others would wait for it for ever."""
    import torch.distributed as ranks

    if not several_ranks():
        return stop
    decided = [stop]
    ranks.broadcast_object_list(decided, src=0)
    return bool(decided[0])


def refuse_sharded(model: Any) -> None:
    """Raise UsageError where each rank holds only a part of the weights: rank 0 cannot evaluate those alone."""
    distributed = sys.modules.get("torch.distributed.tensor")
    sharded = getattr(distributed, "DTensor", ())
    for parameter in model.parameters():
        if hasattr(parameter, "ds_id") or isinstance(parameter, sharded):
            break
    else:
        if not any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
            return
    raise UsageError(
        "this model's weights lie in shards over the ranks (FSDP or ZeRO-3), and a callback sees one of them;"
        " let it save whole checkpoints and evaluate those: evalkit watch OUTPUT_DIR --tasks …"
    )
