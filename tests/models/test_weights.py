"""A checkpoint with missing or unexpected tensors is never scored: part of it would be random numbers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.huggingface import load
from evalkit.engines.vllm import load as load_vllm
from evalkit.engines.vllm.weights import with_checked_weights
from evalkit.errors import CheckpointError
from evalkit.models import checkpoint
from evalkit.models.catalog import nano_path
from evalkit.models.weights import check_against_architecture
from evalkit.types import ModelSpec
from tests.helpers.checkpoints import make_checkpoint

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

Tensors = dict[str, Any]


def edited(model: Path, folder: Path, edit: Callable[[Tensors], Tensors]) -> Path:
    shutil.copytree(model, folder)
    file = folder / "model.safetensors"
    safetensors.save_file(edit(safetensors.load_file(file)), file, metadata={"format": "pt"})
    return folder


def without_a_layer(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if ".layers.1." not in name}


def under_other_names(tensors: Tensors) -> Tensors:
    return {f"nobody.knows.{name}": tensor for name, tensor in tensors.items()}


def with_a_stranger(tensors: Tensors) -> Tensors:
    return {**tensors, "score.weight": torch.ones(3)}


BROKEN = [
    (without_a_layer, r"9 tensors that the model needs are not in its files \(model\.layers\.1\."),
    (under_other_names, "tensors that the model needs are not in its files"),
    (with_a_stranger, r"1 tensors that the model of its config\.json does not have \(score\.weight\)"),
]


@pytest.mark.parametrize(("edit", "says"), BROKEN, ids=lambda part: getattr(part, "__name__", ""))
def test_it_is_refused_on_transformers_and_without_reading_a_weight(
    tiny_model: Path, tmp_path: Path, edit: Callable[[Tensors], Tensors], says: str
) -> None:
    folder = edited(tiny_model, tmp_path / "model", edit)
    with pytest.raises(CheckpointError, match=says):
        load(ModelSpec(typed="m", source=str(folder)), device="cpu")
    with pytest.raises(CheckpointError, match=says):
        check_against_architecture("m", checkpoint.inspect(folder))


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize(("edit", "says"), BROKEN, ids=lambda part: getattr(part, "__name__", ""))
def test_it_is_refused_on_vllm_before_the_engine_starts(
    tiny_model: Path, tmp_path: Path, edit: Callable[[Tensors], Tensors], says: str
) -> None:
    folder = edited(tiny_model, tmp_path / "model", edit)
    with pytest.raises(CheckpointError, match=says):
        load_vllm(ModelSpec(typed="m", source=str(folder)))


def test_no_tensor_at_all_is_refused_before_anything_is_loaded(tiny_model: Path, tmp_path: Path) -> None:
    folder = edited(tiny_model, tmp_path / "model", lambda tensors: {})
    with pytest.raises(CheckpointError, match="holds no tensor"):
        checkpoint.resolve(str(folder))


def test_an_index_that_lists_more_than_the_shards_hold_is_a_half_copied_model(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", shards=3, seed=5)
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    shard = next(iter(content["weight_map"].values()))
    content["weight_map"]["model.layers.99.mlp.up_proj.weight"] = shard
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"model\.layers\.99.* half saved or half downloaded"):
        checkpoint.resolve(str(folder))


def test_an_index_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", shards=3, seed=5)
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = dict.fromkeys(content["weight_map"], "../../etc/passwd")
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="outside of its folder"):
        checkpoint.resolve(str(folder))


@pytest.mark.parametrize("kind", ["dead link", "pipe"])
def test_an_index_that_is_no_file_is_neither_written_through_nor_waited_for(tmp_path: Path, kind: str) -> None:
    folder = make_checkpoint(tmp_path / "model", shards=2, seed=5)
    index, elsewhere = folder / "model.safetensors.index.json", tmp_path / "elsewhere"
    index.unlink()
    if kind == "pipe":
        os.mkfifo(index)
    else:
        index.symlink_to(elsewhere)
    check_against_architecture("m", checkpoint.inspect(folder))
    assert not elsewhere.exists()


def test_tied_weights_and_old_buffers_are_no_difference(tiny_model: Path, tmp_path: Path) -> None:
    def with_buffers(tensors: Tensors) -> Tensors:
        return {**tensors, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}

    folder = edited(tiny_model, tmp_path / "model", with_buffers)
    check_against_architecture("m", checkpoint.inspect(folder))
    load(ModelSpec(typed="m", source=str(folder)), device="cpu").close()
    # nano's head is its embedding: only one of the two is in the file.
    check_against_architecture("nano", checkpoint.inspect(nano_path()))


# ── folders with several files ───────────────────────────────────────────────


def split(model: Path, folder: Path, files: dict[str, Callable[[Tensors], Tensors]]) -> Path:
    """The model's folder with these files in place of its weights, and no index."""
    shutil.copytree(model, folder)
    tensors = safetensors.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    for name, part in files.items():
        kept = {key: value.clone() for key, value in part(tensors).items()}
        safetensors.save_file(kept, folder / name, metadata={"format": "pt"})
    return folder


def embeddings(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if "embed" in name}


def others(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if "embed" not in name}


def everything(tensors: Tensors) -> Tensors:
    return tensors


def test_a_tensor_that_stands_in_two_files_without_an_index_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = split(tiny_model, tmp_path / "m", {"a.safetensors": everything, "b.safetensors": embeddings})
    with pytest.raises(CheckpointError, match="stand in two files"):
        checkpoint.resolve(str(folder))


def test_missing_tensors_are_found_in_files_of_any_name(tiny_model: Path, tmp_path: Path) -> None:
    files = {"a.safetensors": embeddings, "b.safetensors": others}
    with_checked_weights(ModelSpec(typed="m", source=str(split(tiny_model, tmp_path / "whole", files))))
    files["b.safetensors"] = lambda tensors: without_a_layer(others(tensors))
    with pytest.raises(CheckpointError, match=r"9 tensors that the model needs are not in its files"):
        with_checked_weights(ModelSpec(typed="m", source=str(split(tiny_model, tmp_path / "half", files))))


@pytest.mark.parametrize("name", ["z.safetensors", "consolidated.safetensors"])
def test_vllm_loads_no_other_files_than_those_that_were_checked(tiny_model: Path, tmp_path: Path, name: str) -> None:
    folder = split(tiny_model, tmp_path / "m", {"model.safetensors": everything, name: everything})
    with pytest.raises(CheckpointError, match=f"would also load {name}"):
        with_checked_weights(ModelSpec(typed="m", source=str(folder)))


def test_with_an_index_vllm_reads_its_files_and_not_the_consolidated_one(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", shards=2, seed=5)
    spec = ModelSpec(typed="m", source=str(folder))
    assert with_checked_weights(spec) is spec
    shutil.copy(next(folder.glob("model-*.safetensors")), folder / "consolidated.safetensors")
    assert with_checked_weights(spec).args["load_format"] == "safetensors"
    shutil.copy(folder / "consolidated.safetensors", folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="would also load model-0000"):
        with_checked_weights(spec)
