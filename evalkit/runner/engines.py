"""The run's flags that are passed to its engine."""

from __future__ import annotations

from evalkit.config import RunConfig
from evalkit.engines.spec import EngineSettings

__all__ = ["settings_of"]


def settings_of(config: RunConfig) -> EngineSettings:
    """The engine's settings from the run's flags."""
    return EngineSettings(
        batch_size=config.batch_size,
        device=config.device,
        seed=config.seed.torch,
        replicas=config.replicas,
        cluster=config.cluster,
    )
