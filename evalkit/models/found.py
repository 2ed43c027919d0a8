"""What was typed after --model, found and fingerprinted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError
from evalkit.models import catalog, checkpoint
from evalkit.models.adapters import check_fits
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Adapter, ModelSpec

__all__ = ["Model", "find_adapters", "find_model"]

_IN_THE_REQUEST = frozenset(
    {
        "add_bos_token", "chat_template_args", "enable_thinking", "logits_cache", "max_gen_toks", "max_length",
        "max_model_len", "prefix_token_id", "softmax_dtype", "truncation", "truncation_side", "use_fast_tokenizer",
        "window",
    }
)  # fmt: skip
"""Model arguments that change which tokens are asked, and answers through nothing else; or nothing at all."""
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
    pace_arguments: frozenset[str] = frozenset()
    """--model-args that change how fast the engine answers, not what."""

    def key(self, adapter: Adapter | None) -> str:
        """What of the model determines its answers: part of every answer's key."""
        given = {name.replace("-", "_"): value for name, value in self.spec.args.items() if value is not None}
        ignored = self.pace_arguments | _IN_THE_REQUEST
        # Whatever is not known to leave answers as they are counts: to ask again is better than to take another's.
        shaping = {name: str(value) for name, value in given.items() if name not in ignored}
        return model_fingerprint(
            self.fingerprint,
            adapter=adapter.fingerprint if adapter else None,
            dtype=self._dtype(),
            tokenizer=self.spec.tokenizer,
            **{f"args.{name}": value for name, value in shaping.items()},
        )

    def opened_from(self, spec: ModelSpec) -> Model:
        """The same model with the same key, loaded from other files."""
        return replace(self, spec=spec)

    def _dtype(self) -> str:
        """As loaded. What `auto` makes of a float32 checkpoint is each engine's own choice: vLLM halves it."""
        if self.spec.dtype != "auto":
            return self.spec.dtype.removeprefix("torch.")
        stored = self.facts.dtype
        return "auto" if stored is None or stored == "float32" else stored

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


def find_model(
    typed: str,
    model_args: Mapping[str, Any] | None = None,
    *,
    trust_remote_code: bool = False,
    pace_arguments: frozenset[str] = frozenset(),
) -> Model:
    """Resolve, check and fingerprint a checkpoint; what is on the hub is downloaded."""
    found = catalog.resolve(typed)
    args = dict(model_args or {})
    revision = args.get("revision")
    if revision not in (None, "main") and Path(found.source).is_dir():
        raise UsageError(f"--model-args revision={revision}: {typed} is a folder and has no revisions; leave it out")
    hint: Any = catalog.kind(typed).value
    spec = ModelSpec(
        typed=typed,
        source=found.source,
        alias=found.alias,
        revision=None if revision is None else str(revision),
        tokenizer=args.get("tokenizer"),
        kind=found.kind or hint,
        dtype=str(args.get("dtype") or "auto"),
        trust_remote_code=bool(args.get("trust_remote_code") or trust_remote_code),
        args={key: value for key, value in args.items() if key not in _NOT_ENGINE_ARGS},
    )
    folder = checkpoint.resolve(spec)
    return Model(
        spec=replace(spec, source=str(folder)),
        hub_id=None if Path(found.source).exists() else found.source,
        facts=checkpoint.inspect(folder, trust_remote_code=spec.trust_remote_code),
        fingerprint=checkpoint.fingerprint(folder),
        entry=found.entry,
        pace_arguments=pace_arguments,
    )


def find_adapters(asked: Iterable[tuple[str, str]], base: str) -> list[Adapter]:
    """Name and path of each adapter → the adapter, resolved, checked against its base's folder and fingerprinted."""
    adapters = []
    for name, path in asked:
        folder = checkpoint.resolve_adapter(catalog.find_adapter(path))
        check_fits(base, folder)
        adapters.append(Adapter(name, str(folder), checkpoint.fingerprint_adapter(folder)))
    return adapters
