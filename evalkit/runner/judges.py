"""Opens the judge named by ENGINE:MODEL, or ENGINE:MODEL@URL for a server."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evalkit.engines.base import Engine, notify_through
from evalkit.engines.spec import EngineSettings, EngineSpec, choose, judge_engines, judge_forms, start, startable
from evalkit.errors import UsageError, nearest
from evalkit.journal import Journal, Keyer
from evalkit.judging.calls import Asker
from evalkit.judging.encodings import label_sequences
from evalkit.judging.judgment import Judge
from evalkit.models.fingerprint import model_fingerprint
from evalkit.tokens import Tokenizer
from evalkit.types import Message, TokenIds

__all__ = ["JudgeSpec", "open_judge", "parse_judge"]

_SEMANTICS = "judge/1"


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A judge as it was named on the command line: its engine, model and URL."""

    typed: str
    engine: EngineSpec
    model: str
    url: str | None = None


def parse_judge(typed: str) -> JudgeSpec:
    """Parse `ENGINE:MODEL`, or `ENGINE:MODEL@URL` for an engine that is a server."""
    engines = {spec.name: spec for spec in judge_engines()}
    kind, colon, rest = typed.partition(":")
    if not colon or not rest or kind not in engines:
        raise UsageError(f"--judge {typed}: {judge_forms()} is wanted{nearest(kind, engines)}")
    if engines[kind].is_served:
        model, at, url = rest.rpartition("@http")
        if at:
            return JudgeSpec(typed, engines[kind], model, f"http{url}")
    return JudgeSpec(typed, engines[kind], rest)


@contextmanager
def open_judge(
    spec: JudgeSpec,
    journal: Journal,
    arguments: Mapping[str, Any],
    *,
    ask: bool = True,
    spent: float = 0.0,
    stopped: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda line: None,
) -> Iterator[tuple[Judge, Asker, Callable[[], Mapping[str, Any]]]]:
    """Yield the judge, the Asker that sends its requests, and a function that describes its engine.

    Without `ask`, only answers in the journal are used. `spent`: dollars of `max_usd` that other judges have used.
    `note` is told the lines that the engine has for the user.
    """
    if spent and arguments.get("max_usd") is not None:
        arguments = {**arguments, "max_usd": max(0.0, float(arguments["max_usd"]) - spent)}
    opened = _served(spec, arguments, ask) if spec.engine.is_served else _local(spec, arguments, ask)
    judge, engine, encode, window, active = opened
    if engine is not None:
        notify_through(engine, note)
    journal.name_model(judge.fingerprint, f"judge {judge.name}")
    asker = Asker(Keyer(judge.fingerprint, _SEMANTICS), journal, engine, encode, window, active, stopped)
    try:
        yield judge, asker, lambda: dict(engine.description) if engine is not None else {"name": "journal"}
    finally:
        journal.flush()
        if engine is not None:
            engine.close()


_Encode = Callable[[Sequence[Message], str], TokenIds]
_Opened = tuple[Judge, Engine | None, _Encode | None, int | None, int]
_ACTIVE = 256
"""Judgments in progress at once. An API needs more judgments than concurrent requests, so that no slot is idle."""


def _served(spec: JudgeSpec, arguments: Mapping[str, Any], ask: bool) -> _Opened:
    assert spec.engine.serve_judge is not None
    served = spec.engine.serve_judge(spec.typed, spec.model, spec.url, arguments, ask)
    judge = Judge(spec.typed, served.fingerprint)
    return judge, served.engine if ask else None, None, None, max(_ACTIVE, 3 * served.concurrency)


def _local(spec: JudgeSpec, arguments: Mapping[str, Any], ask: bool) -> _Opened:
    # Arguments for an API judge (price, base_url …) may be given in the same command; a local model ignores them.
    for_servers = frozenset().union(*(engine.arguments for engine in startable() if engine.is_served))
    arguments = {name: value for name, value in arguments.items() if name not in for_servers}
    engine_spec = choose(spec.engine.name, arguments)
    model = engine_spec.find_model(spec.model, arguments, False)
    tokenizer = Tokenizer.load(model.spec)
    chat = tokenizer.chat(True)
    template_adds_start = chat.description["source"] != "alpaca"

    def encode(messages: Sequence[Message], reply_start: str) -> TokenIds:
        text = chat([{"role": m.role, "content": m.content} for m in messages]) + reply_start
        return array("i", tokenizer.hf.encode(text, add_special_tokens=not template_adds_start))

    judge = Judge(
        spec.typed,
        model_fingerprint(model.key(None), engine=engine_spec.name, template=str(chat.description["hash"])),
        labels=label_sequences(tokenizer.hf),
        special=tuple(tokenizer.hf.all_special_tokens),
    )
    engine = start(engine_spec, model.spec, tokenizer, (), EngineSettings()) if ask else None
    return judge, engine, encode, tokenizer.max_length, _ACTIVE
