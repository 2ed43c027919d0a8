"""A model behind an API: no checkpoint here, and a tokenizer only where the user names one.

Without a tokenizer, prompts go out as text or messages and the server does the rest: tasks that generate. With one
(`--model-args tokenizer=…`), prompts are rendered, tokenised and cut here as for a local model, and go out as ids: all
tasks, where the server echoes the log-probabilities of a prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.config import RunConfig
from evalkit.errors import UsageError
from evalkit.journal import model_fingerprint
from evalkit.models import catalog, checkpoint
from evalkit.runner.models import Model
from evalkit.tokens import Encoded, Tokenizer, encode_text, message_prompts
from evalkit.tokens.sampling import DEFAULT_MAX_TOKENS
from evalkit.types import Adapter, ModelSpec, Request

__all__ = ["ApiModel", "ApiTokenizer", "find_api_model", "load_api_tokenizer"]

_NO_WINDOW = 2**31


@dataclass(frozen=True, slots=True)
class ApiModel(Model):
    base_url: str = ""

    def key(self, adapter: Adapter | None) -> str:
        args = self.spec.args
        return model_fingerprint(
            self.fingerprint, url=self.base_url, api=str(args.get("api", "auto")), tokenizer=self.spec.tokenizer
        )

    def manifest(self) -> Mapping[str, Any]:
        entry = self.entry
        return {
            "typed": self.spec.typed,
            "alias": self.spec.alias,
            "source": self.spec.source,
            "base_url": self.base_url,
            "revision": None,
            "fingerprint": self.fingerprint,
            "kind": self.spec.kind,
            "parameters": None,
            "license": entry.license.value if entry else None,
            "tokenizer": self.spec.tokenizer,
        }


def find_api_model(typed: str, config: RunConfig) -> ApiModel:
    """The name is the server's own: nothing is resolved, downloaded or read."""
    from evalkit.engines.openai import base_url_of

    args = dict(config.model_args)
    tokenizer = args.pop("tokenizer", None)
    entry = catalog.get(typed)
    spec = ModelSpec(typed, typed, tokenizer=None if tokenizer is None else str(tokenizer), args=args)
    # An API tells nothing of its weights: the name and the place are all that is known of them.
    fingerprint = "api:" + hashlib.sha256(f"{base_url_of(args)}\n{typed}".encode()).hexdigest()
    return ApiModel(spec, None, _UNKNOWN, fingerprint, entry, base_url_of(args))


_UNKNOWN = checkpoint.Checkpoint(Path(), None, "", _NO_WINDOW, None, None, None, 0, None, None, False, False, None)


def load_api_tokenizer(model: ApiModel) -> Any:
    """What the runner needs of a Tokenizer; a real one where it was named."""
    if model.spec.tokenizer is None:
        return ApiTokenizer(model.spec)
    named = catalog.resolve(model.spec.tokenizer).source
    return Tokenizer.load(replace(model.spec, source=named, tokenizer=named))


@dataclass(slots=True)
class ApiTokenizer:
    spec: ModelSpec
    notes: list[str] = field(default_factory=list)
    max_length: int = _NO_WINDOW

    def chat(self, named: bool | str = True) -> _ServerTemplate:
        if isinstance(named, str):
            raise UsageError(f"--apply-chat-template {named}: a server applies its own template; leave the name out")
        return _ServerTemplate()

    def encode(self, requests: Iterable[Request], *, score_limit: int | None = None) -> list[Encoded]:
        asked = list(requests)
        if any(request.kind != "generate" for request in asked):
            raise UsageError(
                f"{self.spec.typed}: a task among these scores given continuations, which an API can only do by echoing"
                " token ids; name the tokenizer with --model-args tokenizer=HUB_ID_OR_PATH, or run tasks that generate"
            )
        limit = int(self.spec.args.get("max_gen_toks") or DEFAULT_MAX_TOKENS)
        return encode_text(asked, eos=self.spec.args.get("eos_string"), max_gen_toks=limit)


class _ServerTemplate:
    """Prompts stay messages."""

    description: Mapping[str, Any] = {"source": "server", "name": None, "hash": None, "system_role": "native"}

    def __call__(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        return message_prompts(messages, add_generation_prompt)
