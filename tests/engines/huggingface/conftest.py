"""The transformers engine, started once for each file of tests, and lm-eval's own model beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from tests.helpers.hf_engine import (
    hflm,
    spec,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Iterator[Engine]:
    made = huggingface.load(spec(tiny_model))
    yield made
    made.close()


@pytest.fixture(scope="module")
def lm(tiny_model: Path) -> Any:
    return hflm(tiny_model)
