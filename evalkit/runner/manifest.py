"""Makes the manifest: every setting and version that a run's figures depend on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from evalkit import __version__
from evalkit.config import RunConfig
from evalkit.engines.base import EngineModel
from evalkit.engines.spec import distributions
from evalkit.hardware import hardware, versions
from evalkit.registry import Document, Suite, Task
from evalkit.tokens import ChatTemplate
from evalkit.types import Adapter

__all__ = ["draw_up", "draw_up_settings", "now"]


def draw_up(
    config: RunConfig,
    suite: Suite,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    model: EngineModel,
    adapter: Adapter | None,
    chat: ChatTemplate | None,
    engine: str,
) -> dict[str, Any]:
    """The manifest before the engine starts; the engine's description is added when it runs."""
    return {
        **draw_up_settings(config, suite, documents, chat),
        "model": model.manifest(),
        "adapter": None if adapter is None else asdict(adapter),
        "engine": {"name": engine},
        "model_args": dict(model.spec.args),
    }


def draw_up_settings(
    config: RunConfig,
    suite: Suite,
    documents: Mapping[str, tuple[Task, Sequence[Document]]],
    chat: ChatTemplate | None = None,
) -> dict[str, Any]:
    """The manifest without the model, the adapter and the engine."""
    return {
        "schema": 1,
        "name": config.name,
        "created": now(),
        "evalkit": __version__,
        "command": ["evalkit", *sys.argv[1:]],
        "requested": list(suite.requested),
        "limit": config.limit,
        "seeds": asdict(config.seed),
        "tasks": {name: task.identity(docs) for name, (task, docs) in documents.items()},
        "chat_template": {
            "applied": chat is not None,
            **(dict(chat.description) if chat is not None else {}),
            "fewshot_as_multiturn": config.fewshot_as_multiturn,
            "system_instruction": config.system_instruction,
        },
        "sampling": dict(config.gen_kwargs),
        "versions": versions(distributions()),
        "hardware": hardware(),
        "sandbox": None,
    }


def now() -> str:
    """The time in UTC, as manifests hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
