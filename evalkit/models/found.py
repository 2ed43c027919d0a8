"""Finds and fingerprints the model of --model and the adapters of --adapter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError
from evalkit.models import catalog, checkpoint
from evalkit.models.adapters import check_fits
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Adapter, Arguments, JsonObject, ModelSpec

__all__ = ["Model", "find_adapters", "find_model"]

_IN_THE_REQUEST = frozenset(
    {
        "add_bos_token", "chat_template_args", "enable_thinking", "logits_cache", "max_gen_toks", "max_length",
        "max_model_len", "prefix_token_id", "softmax_dtype", "truncation", "truncation_side", "use_fast_tokenizer",
        "window",
    }
)  # fmt: skip
"""Model arguments that change answers only through the tokens of a request, or not at all."""
_NOT_ENGINE_ARGS = ("revision", "tokenizer", "dtype", "trust_remote_code")


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint that was found, checked and fingerprinted."""

    spec: ModelSpec
    """The spec; its `source` is the local folder."""
    hub_id: str | None
    facts: checkpoint.Checkpoint
    fingerprint: str
    """The fingerprint of the files' content, not of their path."""
    entry: catalog.Entry | None
    pace_arguments: frozenset[str] = frozenset()
    """--model-args that change only the engine's speed, not its answers."""

    def key(self, adapter: Adapter | None) -> str:
        """The fingerprint of everything in the model that determines its answers; part of every journal key."""
        given = {name.replace("-", "_"): value for name, value in self.spec.args.items() if value is not None}
        ignored = self.pace_arguments | _IN_THE_REQUEST
        # Unknown arguments are part of the key: asking again is better than reusing an answer of other settings.
        shaping = {name: str(value) for name, value in given.items() if name not in ignored}
        return model_fingerprint(
            self.fingerprint,
            adapter=adapter.fingerprint if adapter else None,
            dtype=self._dtype(),
            tokenizer=self.spec.tokenizer,
            **{f"args.{name}": value for name, value in shaping.items()},
        )

    def opened_from(self, spec: ModelSpec) -> Model:
        """The model with the same key, loaded from other files."""
        return replace(self, spec=spec)

    def _dtype(self) -> str:
        """The dtype for the key. For a float32 checkpoint `auto` stays: engines differ, and vLLM loads it in half."""
        if self.spec.dtype != "auto":
            return self.spec.dtype.removeprefix("torch.")
        stored = self.facts.dtype
        return "auto" if stored is None or stored == "float32" else stored

    def manifest(self) -> JsonObject:
        """The manifest's `model` entry."""
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
    model_args: Arguments | None = None,
    *,
    trust_remote_code: bool = False,
    pace_arguments: frozenset[str] = frozenset(),
) -> Model:
    """Resolve, check and fingerprint a checkpoint; one on the hub is downloaded."""
    resolved = catalog.resolve(typed)
    args = dict(model_args or {})
    revision = args.get("revision")
    if revision not in (None, "main") and Path(resolved.source).is_dir():
        raise UsageError(f"--model-args revision={revision}: {typed} is a folder and has no revisions; leave it out")
    hint: Any = catalog.kind(typed).value
    spec = ModelSpec(
        typed=typed,
        source=resolved.source,
        alias=resolved.alias,
        revision=None if revision is None else str(revision),
        tokenizer=args.get("tokenizer"),
        kind=resolved.kind or hint,
        dtype=str(args.get("dtype") or "auto"),
        trust_remote_code=_allows_code(args.get("trust_remote_code")) or trust_remote_code,
        args={key: value for key, value in args.items() if key not in _NOT_ENGINE_ARGS},
    )
    folder = checkpoint.resolve(spec)
    return Model(
        spec=replace(spec, source=str(folder)),
        hub_id=None if Path(resolved.source).exists() else resolved.source,
        facts=checkpoint.inspect(folder, trust_remote_code=spec.trust_remote_code),
        fingerprint=checkpoint.fingerprint(folder),
        entry=resolved.entry,
        pace_arguments=pace_arguments,
    )


def _allows_code(value: Any) -> bool:
    """Whether the model argument trust_remote_code is true. Any text that is not plainly so would be true to Python."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off", "none", ""):
        return False
    raise UsageError(f"--model-args trust_remote_code={value}: true or false")


def find_adapters(requested: Iterable[tuple[str, str]], base: str) -> list[Adapter]:
    """Resolve and fingerprint the adapters, given by name and path, and check that they fit the base's folder."""
    adapters = []
    for name, path in requested:
        folder = checkpoint.resolve_adapter(catalog.find_adapter(path))
        check_fits(base, folder)
        adapters.append(Adapter(name, str(folder), checkpoint.fingerprint_adapter(folder)))
    return adapters
