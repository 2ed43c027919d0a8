"""Small parts of lm-eval that the registry uses: its instances and its hashes."""

from __future__ import annotations

import importlib.metadata
import json
import math
from typing import Any

import lm_eval.utils
from lm_eval.api.instance import Instance

__all__ = ["hash_json", "hash_text", "make_instance", "sample_size", "say", "version"]


def version() -> str:
    """Of lm-eval."""
    return importlib.metadata.version("lm_eval")


def say(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:240]}" if text else type(error).__name__


def make_instance(kind: str, doc: Any, arguments: tuple[Any, ...], index: int, metadata: tuple[Any, ...]) -> Any:
    return Instance(request_type=kind, doc=doc, arguments=arguments, idx=index, metadata=metadata)


def hash_text(text: Any) -> str:
    return str(lm_eval.utils.hash_string(text))


def hash_json(value: Any) -> str:
    return hash_text(json.dumps(value, indent=2, default=lm_eval.utils.handle_non_serializable, ensure_ascii=False))


def sample_size(size: int, limit: float | None) -> int | None:
    """How many documents `limit` asks for: a share below 1, else a number."""
    if limit is None:
        return None
    return math.ceil(size * limit) if limit < 1.0 else int(limit)
