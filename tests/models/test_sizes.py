"""A configuration whose numbers are absurd is refused before a library builds what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import CheckpointError
from evalkit.models import checkpoint
from evalkit.models.window import context_window


def changed(model: Path, folder: Path, **fields: Any) -> Path:
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))
    return folder


@pytest.mark.parametrize(
    "fields",
    [
        {"num_hidden_layers": 10**7},
        {"num_hidden_layers": -1},
        {"num_hidden_layers": "6"},
        {"num_hidden_layers": 1e300},
        {"text_config": {"num_hidden_layers": 10**7}},
        {"num_labels": 10**9},
        {"num_local_experts": 10**8},
        {"vocab_size": 10**12},
    ],
    ids=str,
)
def test_absurd_sizes_are_refused(tiny_model: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    folder = changed(tiny_model, tmp_path / "odd", **fields)
    with pytest.raises(CheckpointError, match="a whole number up to") as raised:
        checkpoint.resolve(str(folder))
    assert str(folder / "config.json") in str(raised.value)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000], ids=["lists", "objects"])
def test_a_configuration_nested_without_end_is_refused(tiny_model: Path, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "deep")
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="nested too deeply"):
        checkpoint.resolve(str(folder))


@pytest.mark.parametrize("length", [0, -5, "many", 10**30, float("inf")], ids=str)
def test_a_window_that_is_none_is_refused(length: Any) -> None:
    class Config:
        max_position_embeddings = length

    with pytest.raises(CheckpointError, match="max_position_embeddings"):
        context_window(Config())


def test_the_window_is_the_configurations_then_the_tokenizers_then_2048() -> None:
    class Text:
        n_ctx = 512

    class Config:
        text_config = Text()

    assert context_window(Config(), 77) == 512
    assert context_window(object(), 77) == 77
    assert context_window(object(), 10**30) == context_window(object()) == 2048
    assert context_window(Config(), scaling=lambda config, length: 2 * length) == 1024
