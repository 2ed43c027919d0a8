"""Tiny models, and lm-eval's model over each as the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.tokens import Tokenizer
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.tokenizing import spec


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokens")
    return {
        "plain": make_checkpoint(folder / "plain"),
        "bos": make_checkpoint(folder / "bos", add_bos=True, chat_template=True),
    }


@pytest.fixture(scope="module")
def oracles(models: dict[str, Path]) -> dict[str, Any]:
    from lm_eval.models.huggingface import HFLM

    return {name: HFLM(pretrained=str(path), device="cpu") for name, path in models.items()}


@pytest.fixture(scope="module")
def tokenizers(models: dict[str, Path]) -> dict[str, Tokenizer]:
    return {name: Tokenizer.load(spec(path)) for name, path in models.items()}
