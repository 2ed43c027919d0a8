"""The flags of a run that its engine may use."""

from __future__ import annotations

from evalkit.config import RunConfig
from evalkit.engines.spec import EngineSettings

__all__ = ["settings_of"]


def settings_of(config: RunConfig) -> EngineSettings:
    return EngineSettings(batch_size=config.batch_size, device=config.device, seed=config.seed.torch)
