"""The plan of MMLU, as a run makes it: five examples before each question, all 57 subjects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from evalkit.planning import Plan, plan
from evalkit.types import Request, TokenRequest
from tests.helpers.checkpoints import corpus, make_tokenizer

__all__ = ["mmlu_plan"]


def mmlu_plan(data_dir: Path | str | None, model: Path | None, limit: int | None) -> Plan:
    """The plan of so many documents of each subject; without a model a tokenizer is made, trained on the questions."""
    from evalkit.registry import Registry
    from evalkit.tokens import Tokenizer
    from evalkit.types import ModelSpec

    suite = Registry(data_dir=data_dir).load(["mmlu"], num_fewshot=5)
    requests: list[Request] = []
    for task in suite.tasks.values():
        for document in task.build(limit=limit):
            requests += document.requests
    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            import transformers

            texts = [
                *corpus(500),
                *(str(request.context)[-600:] for request in requests[:: max(1, len(requests) // 2000)]),
            ]
            made = make_tokenizer(Path(folder), vocab=8192, texts=texts, max_length=4096)
            hf = transformers.AutoTokenizer.from_pretrained(made)
            tokenizer = Tokenizer(hf, max_length=4096)
        else:
            tokenizer = Tokenizer.load(ModelSpec(str(model), str(model)))
        return plan(_requests(tokenizer, requests))


def _requests(tokenizer: object, requests: list[Request]) -> Iterator[TokenRequest]:
    for encoded in tokenizer.encode(requests):  # type: ignore[attr-defined]
        yield from encoded.requests
