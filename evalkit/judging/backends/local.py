"""Judges that an engine loads on this machine: `--judge vllm:MODEL`, `hf:MODEL`."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evalkit.engines.price import Price
from evalkit.engines.spec import EngineSettings, choose, find_spec, start, startable
from evalkit.judging.backends.spec import JudgeOptions, JudgeSpec, NamedJudge
from evalkit.types import Message, TokenIds

if TYPE_CHECKING:
    from evalkit.journal import Journal
    from evalkit.judging.backends.chat import ChatJudge

__all__ = ["SPEC"]


def _forms() -> Mapping[str, str]:
    """Every engine that generates and is no server."""
    specs = [spec for spec in startable() if "generate" in spec.abilities and not spec.is_served]
    return {spec.name: f"{spec.name}:MODEL" for spec in specs}


def _open(named: NamedJudge, journal: Journal, options: JudgeOptions) -> ChatJudge:
    from evalkit.judging.backends.chat import chat_judge
    from evalkit.judging.encodings import label_sequences
    from evalkit.judging.judgment import Judge
    from evalkit.models.fingerprint import model_fingerprint
    from evalkit.tokens import Tokenizer

    # Arguments for an API judge (price, base_url …) may be given in the same command; a local model ignores them.
    for_servers = frozenset().union(*(spec.arguments for spec in startable() if spec.is_served))
    arguments = {name: value for name, value in options.arguments.items() if name not in for_servers}
    engine_spec = choose(named.prefix)
    model = engine_spec.find_model(named.model, arguments, False)
    tokenizer = Tokenizer.load(model.spec)
    chat = tokenizer.chat(True)
    template_adds_start = chat.description["source"] != "alpaca"

    def encode(messages: Sequence[Message], reply_start: str) -> TokenIds:
        text = chat([{"role": m.role, "content": m.content} for m in messages]) + reply_start
        return array("i", tokenizer.hf.encode(text, add_special_tokens=not template_adds_start))

    judge = Judge(
        named.typed,
        model_fingerprint(model.key(None), engine=engine_spec.name, template=str(chat.description["hash"])),
        labels=label_sequences(tokenizer.hf),
        special=tuple(tokenizer.hf.all_special_tokens),
    )
    engine = start(engine_spec, model.spec, tokenizer, (), EngineSettings()) if options.ask else None
    return chat_judge(judge, journal, engine, options, encode, tokenizer.max_length)


def _price(named: NamedJudge, given: str | None) -> Price | None:
    return find_spec(named.prefix).price(named.model, {"base_url": None, "price": given})


SPEC = JudgeSpec(name="local", open=_open, forms=_forms, price=_price, priority=10)
