"""evalkit curve over checkpoints: evaluated together, with prompts made once and one engine for all adapters."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.engines.huggingface import model as loading
from evalkit.errors import UsageError
from evalkit.tokens import Tokenizer
from tests.helpers.checkpoints import make_adapter, make_checkpoint

TASK = "mini_knowledge"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often prompts were tokenised, and weights loaded."""
    counts: Counter[str] = Counter()
    encode, load = Tokenizer.encode, loading._load_net

    def counting_encode(self: Tokenizer, requests: Any, **more: Any) -> Any:
        requests = list(requests)
        counts["requests tokenised"] += len(requests)
        return encode(self, requests, **more)

    def counting_load(*given: Any, **more: Any) -> Any:
        counts["loads"] += 1
        return load(*given, **more)

    monkeypatch.setattr(Tokenizer, "encode", counting_encode)
    monkeypatch.setattr(loading, "_load_net", counting_load)
    return counts


def test_adapters_are_one_pass_and_full_ones_share_their_prompts(
    tmp_path: Path, tiny_model: Path, counted: Counter[str]
) -> None:
    asked: dict[str, Any] = {"tasks": TASK, "limit": 4, "output_path": tmp_path / "results"}
    for step in range(1, 7):
        make_adapter(tiny_model, tmp_path / "lora" / f"checkpoint-{step}", seed=step)
    for step in (1, 2):
        make_checkpoint(tmp_path / "full" / f"checkpoint-{step}", seed=step)
    alone = ek.evaluate(str(tmp_path / "full" / "checkpoint-2"), **asked, name="alone")
    once = counted["requests tokenised"]
    counted.clear()
    lora = ek.curve(str(tmp_path / "lora" / "checkpoint-*"), **asked)
    assert counted == {"requests tokenised": once, "loads": 1}
    assert [point.x for point in lora.result.tasks[0].points] == [1, 2, 3, 4, 5, 6]
    assert any("6 checkpoints in" in note and "1 engine: load" in note for note in lora.notes)
    counted.clear()
    full = ek.curve([tmp_path / "full" / f"checkpoint-{step}" for step in (1, 2)], **asked)
    assert counted["requests tokenised"] == once
    shared = full.runs[full.result.tasks[0].points[1].run_id]
    rows = [[row["resps"] for row in run.rows(TASK)] for run in (shared, alone.stored)]
    assert rows[0] == rows[1]


def test_what_is_no_whole_checkpoint_is_named(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="--tasks is missing"):
        ek.curve(str(tiny_model))
    half = tmp_path / "checkpoint-3"
    shutil.copytree(tiny_model, half)
    weights = half / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    (tmp_path / "checkpoint-4" / "pytorch_model_fsdp_0").mkdir(parents=True)
    with pytest.raises(UsageError, match="not whole") as error:
        ek.curve(str(tmp_path / "checkpoint-*"), tasks=TASK)
    assert "accelerate merge-weights" in str(error.value)
    with pytest.raises(UsageError, match="are for checkpoints"):
        ek.curve("some-run", limit=3)
