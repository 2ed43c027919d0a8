"""Judges behind a server: `--judge openai:MODEL` or `openai:MODEL@URL`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evalkit.engines.price import Price
from evalkit.engines.spec import find_spec, startable
from evalkit.judging.backends.spec import JudgeOptions, JudgeSpec, NamedJudge

if TYPE_CHECKING:
    from evalkit.journal import Journal
    from evalkit.judging.backends.chat import ChatJudge

__all__ = ["SPEC"]


def _forms() -> Mapping[str, str]:
    """Every engine that says how a judge behind its server is asked."""
    return {spec.name: f"{spec.name}:MODEL[@URL]" for spec in startable() if spec.is_served}


def _model_and_url(named: NamedJudge) -> tuple[str, str | None]:
    model, at, url = named.model.rpartition("@http")
    return (model, f"http{url}") if at else (named.model, None)


def _open(named: NamedJudge, journal: Journal, options: JudgeOptions) -> ChatJudge:
    from evalkit.judging.backends.chat import ACTIVE, chat_judge
    from evalkit.judging.judgment import Judge

    serve = find_spec(named.prefix).serve_judge
    assert serve is not None
    model, url = _model_and_url(named)
    served = serve(named.typed, model, url, options.arguments, options.ask)
    judge = Judge(named.typed, served.fingerprint)
    engine = served.engine if options.ask else None
    return chat_judge(judge, journal, engine, options, active=max(ACTIVE, 3 * served.concurrency))


def _price(named: NamedJudge, given: str | None) -> Price | None:
    model, url = _model_and_url(named)
    return find_spec(named.prefix).price(model, {"base_url": url, "price": given})


SPEC = JudgeSpec(name="served", open=_open, forms=_forms, price=_price, priority=20)
