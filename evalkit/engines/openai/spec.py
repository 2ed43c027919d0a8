"""The spec of the engine that asks a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.openai.options import Options, base_url_of
from evalkit.engines.price import Price
from evalkit.engines.spec import PROJECT, Embedder, EngineSettings, EngineSpec, ServedJudge
from evalkit.types import Adapter, Arguments, ModelSpec

__all__ = ["SPEC"]

_PACE = frozenset(
    {
        "give_up", "key_env", "max_concurrency", "max_reply_mb", "max_retries", "max_usd", "num_concurrent", "price",
        "retries", "timeout",
    }
)  # fmt: skip


def _find_model(typed: str, model_args: Arguments, trust_remote_code: bool) -> EngineModel:
    from evalkit.engines.openai.model import find_api_model

    return find_api_model(typed, model_args)


def _load_tokenizer(model: EngineModel) -> EngineTokenizer:
    from evalkit.engines.openai.tokenizer import load_api_tokenizer

    return load_api_tokenizer(model.spec)


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    from evalkit.engines.openai import load

    if settings.batch_size == "auto":
        return load(model, tokenizer, adapters)
    return load(model, tokenizer, adapters, max_concurrency=int(settings.batch_size))


def _price(model: str, model_args: Arguments) -> Price | None:
    from evalkit.engines.openai.prices import price_of

    return price_of(model, base_url_of(model_args), model_args.get("price"))


def _serve_judge(typed: str, model: str, url: str | None, arguments: Arguments, may_call: bool) -> ServedJudge:
    from evalkit.engines.openai import load
    from evalkit.models.fingerprint import model_fingerprint

    args = {**arguments, "base_url": url} if url else dict(arguments)
    spec = ModelSpec(typed, model, args={"api": "chat", **args})
    engine = load(spec, silent=not may_call, frugal=True, flag="--judge-args")
    # The address is part of the fingerprint: the same name at another server may be another model.
    fingerprint = model_fingerprint(f"api:{model}", url=engine.server.base_url)
    return ServedJudge(engine, fingerprint, engine.options.max_concurrency)


def _open_embedder(model: str, url: str | None) -> Embedder:
    from evalkit.engines.openai.embeddings import ServerEmbedder

    return ServerEmbedder(model, url)


SPEC = EngineSpec(
    name="openai",
    title="a server that speaks OpenAI's protocol",
    semantics="openai/1",
    find_model=_find_model,
    load_tokenizer=_load_tokenizer,
    start=_start,
    needs=("openai", "aiohttp"),
    install=f"{PROJECT}[openai]",
    distributions=("openai",),
    abilities=frozenset({"score", "generate"}),
    beyond_window=-1,
    arguments=frozenset(Options.names()),
    pace_arguments=_PACE,
    device="ignored",
    lm_eval_names=(
        "local-completions",
        "local-chat-completions",
        "openai-completions",
        "openai-chat-completions",
    ),
    lm_eval_model_arguments=("pretrained", "model"),
    price=_price,
    costs_money=True,
    serve_judge=_serve_judge,
    open_embedder=_open_embedder,
    priority=10,
)
