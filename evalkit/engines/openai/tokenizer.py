"""Turns requests into what a server takes: text and messages, or token ids if the user names the tokenizer.

Without a tokenizer, prompts go out as they are and the server does the rest: tasks that generate. With one
(`--model-args tokenizer=…`), prompts are rendered, tokenised and cut here as for a local model, and go out as ids: all
tasks, where the server echoes the log-probabilities of a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.engines.base import EngineTokenizer
from evalkit.errors import UsageError
from evalkit.models import catalog
from evalkit.tokens import Encoded, Tokenizer, encode_text, message_prompts
from evalkit.tokens.sampling import DEFAULT_MAX_TOKENS
from evalkit.types import ModelSpec, Request

__all__ = ["ApiTokenizer", "load_api_tokenizer"]

_NO_WINDOW = 2**31
"""The server itself cuts or refuses a prompt that is too long."""


def load_api_tokenizer(spec: ModelSpec) -> EngineTokenizer:
    """The tokenizer that the user named; otherwise one that leaves prompts as text."""
    if spec.tokenizer is None:
        return ApiTokenizer(spec)
    named = catalog.resolve(spec.tokenizer).source
    return Tokenizer.load(replace(spec, source=named, tokenizer=named))


@dataclass(slots=True)
class ApiTokenizer:
    """Leaves prompts as text or messages."""

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
    """Leaves prompts as messages: the server applies its own template."""

    description: Mapping[str, str | None] = {"source": "server", "name": None, "hash": None, "system_role": "native"}

    def __call__(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        return message_prompts(messages, add_generation_prompt)
