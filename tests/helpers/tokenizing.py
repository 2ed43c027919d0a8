"""Texts, models and requests for the tests of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from evalkit.tokens import Tokenizer
from evalkit.types import (
    GenerateRequest,
    ModelSpec,
    Request,
    ScoreRequest,
)

SCRAPS = (
    "Question: what",
    " is",
    "  two",
    "\n",
    "\n\n  ",
    "<s>",
    "</s>",
    "서울은",
    " 어디",
    "x=1;",
    " 123456",
    "\t",
    " ",
    "é",
)
text = st.lists(st.sampled_from(SCRAPS), max_size=10).map("".join)
continuation = st.sampled_from([" A", "B", "  yes, it is", "\n", " 서울", "<s>", "."])


def spec(folder: Path, **args: Any) -> ModelSpec:
    return ModelSpec(typed=str(folder), source=str(folder), args=args)


def score(tokenizer: Tokenizer, context: str, continuation: str, **asked: Any) -> ScoreRequest:
    (encoded,) = tokenizer.encode([Request("score", context, continuation)], **asked)
    (request,) = encoded.requests
    assert isinstance(request, ScoreRequest)
    return request


def generate(tokenizer: Tokenizer, context: str, **kwargs: Any) -> GenerateRequest:
    (encoded,) = tokenizer.encode([Request("generate", context, gen_kwargs=kwargs)])
    (request,) = encoded.requests
    assert isinstance(request, GenerateRequest)
    return request
