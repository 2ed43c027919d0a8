"""A model behind a server: only its name and its server's address are known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from evalkit.engines.openai.options import base_url_of
from evalkit.models import catalog
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Adapter, Arguments, JsonObject, ModelSpec

__all__ = ["ApiModel", "find_api_model"]

_SHAPING = ("chat_template_args", "enable_thinking", "think_end_token", "think_start_token", "think_open")
"""Model arguments that change what is asked or how the answer is read."""


@dataclass(frozen=True, slots=True)
class ApiModel:
    spec: ModelSpec
    """`source` is the server's own name for the model."""
    base_url: str
    entry: catalog.Entry | None = None

    @property
    def fingerprint(self) -> str:
        """Of the name and the address, since the weights are not known."""
        return "api:" + hashlib.sha256(f"{self.base_url}\n{self.spec.typed}".encode()).hexdigest()

    def key(self, adapter: Adapter | None) -> str:
        """Everything in the model that determines its answers; part of every answer's key."""
        api = str(self.spec.args.get("api", "auto"))
        shaping = {name: str(self.spec.args[name]) for name in _SHAPING if self.spec.args.get(name) is not None}
        return model_fingerprint(
            self.fingerprint,
            url=self.base_url,
            api=api,
            tokenizer=self.spec.tokenizer,
            **{f"args.{name}": value for name, value in shaping.items()},
        )

    def manifest(self) -> JsonObject:
        return {
            "typed": self.spec.typed,
            "alias": self.spec.alias,
            "source": self.spec.source,
            "base_url": self.base_url,
            "revision": None,
            "fingerprint": self.fingerprint,
            "kind": self.spec.kind,
            "parameters": None,
            "license": self.entry.license.value if self.entry else None,
            "tokenizer": self.spec.tokenizer,
        }

    def opened_from(self, spec: ModelSpec) -> ApiModel:
        """The same model under another spec."""
        return replace(self, spec=spec)


def find_api_model(typed: str, model_args: Arguments) -> ApiModel:
    """The model of that name on the server. Nothing is downloaded or read."""
    args = dict(model_args)
    tokenizer = args.pop("tokenizer", None)
    spec = ModelSpec(typed, typed, tokenizer=None if tokenizer is None else str(tokenizer), args=args)
    return ApiModel(spec, base_url_of(args), catalog.get(typed))
