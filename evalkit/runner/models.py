"""What was typed after --model, found and fingerprinted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit import catalog, checkpoint
from evalkit.config import RunConfig
from evalkit.journal import model_fingerprint
from evalkit.types import Adapter, ModelSpec

__all__ = ["Model", "find_adapters", "find_model"]

_CHANGES_ANSWERS = (
    "quantization",
    "load_in_8bit",
    "load_in_4bit",
    "kv_cache_dtype",
    "hf_overrides",
    "rope_scaling",
    "think_end_token",
    "attn_implementation",
)
_NOT_ENGINE_ARGS = ("revision", "tokenizer", "dtype", "trust_remote_code")


@dataclass(frozen=True, slots=True)
class Model:
    spec: ModelSpec
    """`source` is the local folder by now."""
    hub_id: str | None
    facts: checkpoint.Checkpoint
    fingerprint: str
    """Of the weights' content, never of their path."""
    entry: catalog.Entry | None

    def key(self, adapter: Adapter | None) -> str:
        """What of the model determines its answers: part of every answer's key."""
        args = self.spec.args
        dtype = self.facts.dtype if self.spec.dtype == "auto" else self.spec.dtype
        return model_fingerprint(
            self.fingerprint,
            adapter=adapter.fingerprint if adapter else None,
            dtype=str(dtype) if dtype else None,
            **{name: str(args[name]) for name in _CHANGES_ANSWERS if args.get(name) is not None},
        )

    def manifest(self) -> Mapping[str, Any]:
        entry = self.entry
        return {
            "typed": self.spec.typed,
            "alias": self.spec.alias,
            "source": self.hub_id or self.spec.source,
            "path": self.spec.source,
            "revision": self.spec.revision,
            "fingerprint": self.fingerprint,
            "kind": self.spec.kind,
            "parameters": self.facts.parameters,
            "license": entry.license.value if entry else None,
            "architecture": self.facts.architecture,
            "dtype": self.spec.dtype,
            "trust_remote_code": self.spec.trust_remote_code,
        }


def find_model(typed: str, config: RunConfig) -> Model:
    found = catalog.resolve(typed)
    args = dict(config.model_args)
    hint: Any = catalog.kind(typed).value
    spec = ModelSpec(
        typed=typed,
        source=found.source,
        alias=found.alias,
        revision=args.get("revision"),
        tokenizer=args.get("tokenizer"),
        kind=found.kind or hint,
        dtype=str(args.get("dtype") or "auto"),
        trust_remote_code=bool(args.get("trust_remote_code") or config.trust_remote_code),
        args={key: value for key, value in args.items() if key not in _NOT_ENGINE_ARGS},
    )
    folder = checkpoint.resolve(spec)
    return Model(
        spec=replace(spec, source=str(folder)),
        hub_id=None if Path(found.source).exists() else found.source,
        facts=checkpoint.inspect(folder, trust_remote_code=spec.trust_remote_code),
        fingerprint=checkpoint.fingerprint(folder),
        entry=found.entry,
    )


def find_adapters(config: RunConfig) -> list[Adapter]:
    adapters = []
    for name, path in config.adapter:
        folder = checkpoint.resolve_adapter(path)
        adapters.append(Adapter(name, str(folder), checkpoint.fingerprint_adapter(folder)))
    return adapters
