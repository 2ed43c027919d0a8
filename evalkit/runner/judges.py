"""Opening a judge: openai:MODEL[@URL] | vllm:MODEL | hf:MODEL."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.config import RunConfig
from evalkit.engines.base import Engine
from evalkit.engines.openai.options import Options
from evalkit.errors import UsageError, nearest
from evalkit.journal import Journal, Keyer, model_fingerprint
from evalkit.judging.calls import Asker
from evalkit.judging.encodings import label_sequences
from evalkit.judging.judgment import Judge
from evalkit.runner.engines import choose, start
from evalkit.runner.models import find_model
from evalkit.tokens import Tokenizer
from evalkit.types import Message, ModelSpec, TokenIds

__all__ = ["JudgeSpec", "open_judge", "parse_judge"]

_KINDS = ("openai", "vllm", "hf")
_SEMANTICS = "judge/1"


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    typed: str
    kind: str
    model: str
    url: str | None = None


def parse_judge(typed: str) -> JudgeSpec:
    kind, colon, rest = typed.partition(":")
    if not colon or not rest or kind not in _KINDS:
        raise UsageError(
            f"--judge {typed}: openai:MODEL[@URL], vllm:MODEL or hf:MODEL is wanted{nearest(kind, _KINDS)}"
        )
    if kind == "openai":
        model, at, url = rest.rpartition("@http")
        if at:
            return JudgeSpec(typed, kind, model, f"http{url}")
    return JudgeSpec(typed, kind, rest)


@contextmanager
def open_judge(
    spec: JudgeSpec,
    journal: Journal,
    output_path: Path,
    arguments: Mapping[str, Any],
    *,
    ask: bool = True,
    spent: float = 0.0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Judge, Asker, Callable[[], Mapping[str, Any]]]]:
    """The judge, whoever asks it, and what its engine says of itself. Without `ask`, only the journal answers.

    `spent`: dollars that other judges have had of `max_usd` already.
    """
    if spent and arguments.get("max_usd") is not None:
        arguments = {**arguments, "max_usd": max(0.0, float(arguments["max_usd"]) - spent)}
    opened = _api(spec, arguments, ask) if spec.kind == "openai" else _local(spec, output_path, arguments, ask)
    judge, engine, encode, window, active = opened
    journal.name_model(judge.fingerprint, f"judge {judge.name}")
    asker = Asker(Keyer(judge.fingerprint, _SEMANTICS), journal, engine, encode, window, active, stopped)
    try:
        yield judge, asker, lambda: dict(engine.description) if engine is not None else {"name": "journal"}
    finally:
        journal.flush()
        if engine is not None:
            engine.close()


_FOR_APIS = frozenset(Options.__dataclass_fields__)
_Encode = Callable[[Sequence[Message], str], TokenIds]
_Opened = tuple[Judge, Engine | None, _Encode | None, int | None, int]
_ACTIVE = 256
"""Judgments under way at once. An API needs more of them than it takes requests, for those that wait their turn."""


def _api(spec: JudgeSpec, arguments: Mapping[str, Any], ask: bool) -> _Opened:
    from evalkit.engines.openai import load

    args = {**arguments, "base_url": spec.url} if spec.url else dict(arguments)
    # The endpoint is part of who answers: the same name elsewhere may be another model.
    model = ModelSpec(spec.typed, spec.model, args={"api": "chat", **args})
    engine = load(model, silent=not ask, frugal=True, flag="--judge-args")
    fingerprint = model_fingerprint(f"api:{spec.model}", url=engine.server.base_url)
    active = max(_ACTIVE, 3 * engine.options.max_concurrency)
    return Judge(spec.typed, fingerprint), engine if ask else None, None, None, active


def _local(spec: JudgeSpec, output_path: Path, arguments: Mapping[str, Any], ask: bool) -> _Opened:
    # A model of one's own costs nothing and is no server: what is meant for an API beside it does not concern it.
    arguments = {name: value for name, value in arguments.items() if name not in _FOR_APIS}
    config = RunConfig.build(
        model=(spec.model,), tasks=("judge",), engine=spec.kind, model_args=dict(arguments), output_path=output_path
    )
    kind = choose(spec.kind)
    model = find_model(spec.model, config)
    tokenizer = Tokenizer.load(model.spec)
    chat = tokenizer.chat(True)
    own_start = chat.description["source"] != "alpaca"

    def encode(messages: Sequence[Message], said: str) -> TokenIds:
        text = chat([{"role": m.role, "content": m.content} for m in messages]) + said
        return array("i", tokenizer.hf.encode(text, add_special_tokens=not own_start))

    judge = Judge(
        spec.typed,
        model_fingerprint(model.key(None), engine=kind.name, template=str(chat.description["hash"])),
        labels=label_sequences(tokenizer.hf),
        special=tuple(tokenizer.hf.all_special_tokens),
    )
    engine = start(kind, model.spec, tokenizer, (), config) if ask else None
    return judge, engine, encode, tokenizer.max_length, _ACTIVE
