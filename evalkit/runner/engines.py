"""Which engine runs a model, and how it is started."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.config import RunConfig
from evalkit.engines.base import Engine
from evalkit.errors import UsageError
from evalkit.tokens import Tokenizer
from evalkit.types import Adapter, ModelSpec

__all__ = ["ENGINES", "EngineKind", "choose", "start"]


@dataclass(frozen=True, slots=True)
class EngineKind:
    name: str
    module: str
    needs: tuple[str, ...]
    install: str
    semantics: str
    """Part of every answer's key: raised when an engine's answers change meaning."""
    beyond_window: int = 1
    """Tokens of context and continuation that may stand beyond the window. The last one is never read, so one may;
    an engine that always generates a token has one less than the window instead. lm-eval's backends differ likewise."""


ENGINES = {
    "hf": EngineKind("hf", "evalkit.engines.huggingface", ("torch", "transformers"), "evalkit[hf]", "hf/1"),
    "vllm": EngineKind("vllm", "evalkit.engines.vllm", ("vllm",), "evalkit[vllm]", "vllm/1", -1),
    "openai": EngineKind("openai", "evalkit.engines.openai", ("openai", "aiohttp"), "evalkit[openai]", "openai/1", -1),
    "mock": EngineKind("mock", "evalkit.engines.mock", (), "evalkit", "mock/1"),
}


def choose(asked: str) -> EngineKind:
    """`auto` is vLLM where it is installed beside a GPU, else transformers."""
    if asked == "auto":
        asked = "vllm" if _installed("vllm") and _cuda() else "hf"
        if asked == "hf" and not _installed("torch"):
            raise UsageError('no engine is installed: pip install "evalkit[vllm]" for a GPU, or "evalkit[hf]"')
    if asked == "replay":
        raise UsageError("--engine replay reads recorded answers: evalkit score FILE.jsonl does that")
    if asked not in ENGINES:
        raise UsageError(f"--engine {asked}: not part of this version; use hf, vllm or openai")
    kind = ENGINES[asked]
    missing = [package for package in kind.needs if not _installed(package)]
    if missing:
        raise UsageError(f'--engine {asked} needs {", ".join(missing)}: pip install "{kind.install}"')
    return kind


def start(
    kind: EngineKind, spec: ModelSpec, tokenizer: Tokenizer, adapters: Sequence[Adapter], config: RunConfig
) -> Engine:
    options: dict[str, Any] = {}
    if kind.name == "hf":
        options = {"batch_size": config.batch_size, "device": config.device}
    elif kind.name == "openai":
        if config.batch_size != "auto":
            options = {"max_concurrency": int(config.batch_size)}
    elif config.device is not None:
        raise UsageError(f"--device goes with --engine hf; for {kind.name} set CUDA_VISIBLE_DEVICES")
    elif kind.name == "vllm":
        options = {"seed": config.seed.torch, "batch_size": config.batch_size}
    engine: Engine = importlib.import_module(kind.module).load(spec, tokenizer, adapters, **options)
    return engine


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _cuda() -> bool:
    if not _installed("torch"):
        return False
    import torch

    return bool(torch.cuda.is_available())
