"""Makes the manifest: every setting and version that a run's figures depend on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from evalkit import __version__
from evalkit.config import RunConfig
from evalkit.engines.base import EngineModel
from evalkit.engines.spec import distributions
from evalkit.hardware import hardware, versions
from evalkit.registry import Document, Suite, Task
from evalkit.results import AdapterInfo, ChatTemplateInfo, EngineInfo, Manifest, ModelInfo, TaskSettings
from evalkit.tokens import ChatTemplate
from evalkit.types import Adapter, JsonObject

__all__ = ["draw_up", "draw_up_settings", "now"]


def draw_up(
    config: RunConfig,
    suite: Suite,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    model: EngineModel,
    adapter: Adapter | None,
    chat: ChatTemplate | None,
    engine: str,
) -> Manifest:
    """The manifest before the engine starts; the engine's description is added when it runs."""
    return draw_up_settings(config, suite, documents, chat).model_copy(
        update={
            "model": ModelInfo.model_validate(_as_known(config, model.manifest())),
            "adapter": None if adapter is None else AdapterInfo.model_validate(_as_known(config, asdict(adapter))),
            "engine": EngineInfo(name=engine),
            "model_args": dict(model.spec.args),
        }
    )


def _as_known(config: RunConfig, entry: JsonObject) -> JsonObject:
    """The entry with the folder's own path where links to it were read."""
    return {
        name: config.known_as.get(value, value) if isinstance(value, str) else value for name, value in entry.items()
    }


def draw_up_settings(
    config: RunConfig,
    suite: Suite,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    chat: ChatTemplate | None = None,
) -> Manifest:
    """The manifest without the model, the adapter and the engine."""
    template: JsonObject = {
        "applied": chat is not None,
        **(chat.description if chat is not None else {}),
        "fewshot_as_multiturn": config.fewshot_as_multiturn,
        "system_instruction": config.system_instruction,
    }
    tasks = {name: TaskSettings.model_validate(task.identity(docs)) for name, (task, docs) in documents.items()}
    manifest = Manifest(
        schema=1,
        name=config.name,
        created=now(),
        evalkit=__version__,
        command=["evalkit", *sys.argv[1:]],
        requested=tuple(suite.requested),
        limit=config.limit,
        seeds=asdict(config.seed),
        tasks=tasks,
        chat_template=ChatTemplateInfo.model_validate(template),
        sampling=config.generation,
        versions=versions(distributions()),
        hardware=hardware(),
        sandbox=None,
    )
    return manifest if config.shard is None else manifest.model_copy(update={"shard": asdict(config.shard)})


def now() -> str:
    """The time in UTC, as manifests hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
