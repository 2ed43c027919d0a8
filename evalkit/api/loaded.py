"""A model that is in memory already, handed to `evaluate` instead of a name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.api.definitions import EvaluateArguments
from evalkit.engines.spec import AUTO
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.runner.finding import LoadedModel

__all__ = ["in_memory", "label_of", "loaded_model"]


def in_memory(model: Any, tokenizer: Any) -> Any:
    """The model, where it is one in memory; None where it is a name or several."""
    named = model is None or isinstance(model, str | Path | list | tuple)
    if named and tokenizer is not None:
        raise UsageError("tokenizer= goes with a model in memory; for another one: model_args={'tokenizer': PATH}")
    if not named and tokenizer is None:
        raise UsageError("a model in memory needs its tokenizer: evaluate(model, tokenizer=tokenizer, tasks=…)")
    return None if named else model


def label_of(model: Any) -> str:
    """What a model in memory is called in results."""
    from evalkit.engines.huggingface import inmemory

    return inmemory.label_of(model)


@contextmanager
def loaded_model(model: Any, tokenizer: Any, asked: EvaluateArguments) -> Iterator[LoadedModel]:
    """The model with an engine around it, for the runner."""
    from evalkit.engines.huggingface import inmemory
    from evalkit.engines.huggingface.spec import SPEC
    from evalkit.runner.finding import LoadedModel

    if asked.engine not in (AUTO, SPEC.name):
        raise UsageError(f"--engine {asked.engine}: a model in memory is run by {SPEC.title}; leave the flag out")
    if asked.device is not None:
        raise UsageError("--device: a model in memory is evaluated where it is; leave the flag out")
    if asked.fleet:
        raise UsageError("--replicas: a model in memory is one copy; give the model's folder to run several")
    with inmemory.opened(model, tokenizer, asked.model_args, asked.batch_size) as (loaded, words, engine):
        yield LoadedModel(SPEC, loaded, words, engine)
