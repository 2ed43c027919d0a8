"""Turns checkpoints into arguments of `evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.api.evaluation import evaluate
from evalkit.api.runs import opened
from evalkit.config import read_file
from evalkit.errors import EvalkitError, RunFolderError, UsageError
from evalkit.models.checkpoint import inspect
from evalkit.regularfile import read_regular_file
from evalkit.results import Run
from evalkit.training.budgeting import Probe
from evalkit.training.checkpoints import Checkpoint

__all__ = ["base_of", "is_alike", "model_of", "probe_of", "refuse_wrong", "settings_of"]

_OWN = (
    "model", "tasks", "adapter", "no_base", "name", "output_path", "limit", "config", "dry_run", "against", "policy",
)  # fmt: skip
"""Keys of a config that the verb itself decides."""


def settings_of(path: Path | None, whose: str) -> Mapping[str, Any]:
    if path is None:
        return {}
    from evalkit.api.definitions import EvaluateArguments
    from evalkit.arguments import definition

    names = [argument.name for argument in definition(EvaluateArguments)]
    given = read_file(path, names)
    for name in given:
        if name in _OWN:
            raise UsageError(f"{path}: {name} is for {whose} to say, not for its config")
    return {name: value for name, value in given.items() if name not in ("quiet", "log_samples")}


def refuse_wrong(settings: Mapping[str, Any], tasks: tuple[str, ...]) -> None:
    """Say now what the first evaluation would say, for that may be hours away."""
    from evalkit.api.definitions import EvaluateArguments
    from evalkit.registry import Registry

    wanted = EvaluateArguments.build(**settings, model="checkpoint", tasks=tasks)
    Registry(wanted.include_path).refuse_unknown(wanted.tasks)


def model_of(checkpoint: Checkpoint, base: str | None) -> dict[str, Any]:
    """The arguments of `evaluate` that name a checkpoint."""
    if not checkpoint.is_adapter:
        return {"model": str(checkpoint.path)}
    adapter = {checkpoint.name: str(checkpoint.path)}
    return {"model": base_of(checkpoint, base), "adapter": adapter, "no_base": True}


def base_of(checkpoint: Checkpoint, base: str | None) -> str:
    """The model below an adapter: the one that was typed, else the one that the adapter names."""
    if base is None:
        path = checkpoint.path / "adapter_config.json"
        try:
            base = json.loads(read_regular_file(path)).get("base_model_name_or_path")
        except (OSError, ValueError, RecursionError, AttributeError) as error:
            raise RunFolderError(f"{path} can't be read: {error}") from None
    if not isinstance(base, str) or not base:
        raise UsageError(f"{checkpoint.path} is an adapter and does not name its base: type --model BASE")
    return base


def is_alike(run: Run, checkpoint: Checkpoint, base: str | None) -> bool:
    """Whether a run is of the checkpoint's base or of a model with as many parameters: it takes as long, then."""
    model = run.record.manifest.model
    try:
        if checkpoint.is_adapter:
            return base_of(checkpoint, base) in (model.typed, model.source, model.path)
        return model.parameters is not None and inspect(checkpoint.path).parameters == model.parameters
    except EvalkitError:
        return False


def probe_of(checkpoint: Checkpoint, base: str | None, settings: Mapping[str, Any], output_path: Path) -> Probe:
    """Evaluates the checkpoint on a few documents. The answers are kept in the journal of the runs to come."""
    kept = {"journal": output_path / ".journal", **settings}

    def probe(task: str, limit: int, folder: Path) -> Run:
        run = evaluate(**kept, **model_of(checkpoint, base), tasks=task, limit=limit, output_path=folder)
        return opened(run[0] if isinstance(run, list) else run, folder)

    return probe
