"""A checkpoint is found, found whole, described, and known by its content."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from evalkit.errors import CheckpointError, UnknownModel
from evalkit.models import checkpoint
from evalkit.types import ModelSpec
from tests.helpers.checkpoints import Broken, break_checkpoint, make_adapter, make_checkpoint


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("sharded") / "model", shards=3, dtype="bfloat16", seed=3)


def test_a_whole_checkpoint_resolves_to_itself(tiny_model: Path, sharded: Path) -> None:
    assert checkpoint.resolve(str(tiny_model)) == tiny_model
    assert checkpoint.resolve(ModelSpec(typed="m", source=str(sharded))) == sharded


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing_shard", r"model-0000\d-of-0000\d\.safetensors"),
        ("truncated", "cut off"),
        ("missing_tokenizer", "no tokenizer"),
        ("missing_config", r"no config\.json"),
        ("missing_weights", "are missing"),
        ("lfs_pointer", "git lfs pull"),
    ],
)
def test_what_is_broken_is_named(sharded: Path, tmp_path: Path, how: Broken, says: str) -> None:
    broken = break_checkpoint(sharded, tmp_path / "broken", how)
    with pytest.raises(CheckpointError, match=says):
        checkpoint.resolve(str(broken))


def test_a_tokenizer_named_elsewhere_is_enough(tiny_model: Path, tmp_path: Path) -> None:
    broken = break_checkpoint(tiny_model, tmp_path / "bare", "missing_tokenizer")
    spec = ModelSpec(typed="m", source=str(broken), tokenizer=str(tiny_model))
    assert checkpoint.resolve(spec) == broken


def test_a_header_that_is_noise(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "noise")
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        checkpoint.resolve(str(folder))
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is empty"):
        checkpoint.resolve(str(folder))


def test_a_config_that_is_not_json(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "config.json").write_text("{'model_type': 'llama'}")
    with pytest.raises(CheckpointError, match="not JSON"):
        checkpoint.resolve(str(folder))


def test_an_adapter_given_as_a_model_and_the_reverse(tiny_model: Path, tiny_adapters: tuple[Path, Path]) -> None:
    with pytest.raises(CheckpointError, match=f"--adapter {tiny_adapters[0]}"):
        checkpoint.resolve(str(tiny_adapters[0]))
    with pytest.raises(CheckpointError, match="--model"):
        checkpoint.resolve_adapter(str(tiny_model))
    assert checkpoint.resolve_adapter(str(tiny_adapters[0])) == tiny_adapters[0]


def test_a_name_that_is_nowhere(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnknownModel, match="not in the local hub cache"):
        checkpoint.resolve("nobody/no-such-model")
    with pytest.raises(UnknownModel, match="did you mean tiny"):
        checkpoint.resolve(str(tiny_model.parent / "tinny"))


def test_a_hub_id_is_served_from_the_local_cache(
    sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "0" * 40
    repo = tmp_path / "models--someone--tuned"
    snapshot = shutil.copytree(sharded, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert checkpoint.resolve("someone/tuned") == snapshot
    next(snapshot.glob("model-*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="half done"):
        checkpoint.resolve("someone/tuned")


def test_inspect_reads_the_facts(tiny_model: Path, sharded: Path) -> None:
    from safetensors import safe_open

    facts = checkpoint.inspect(sharded)
    counted = 0
    for file in sharded.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            counted += sum(tensors.get_tensor(name).numel() for name in tensors.keys())  # noqa: SIM118
    assert facts.parameters == counted
    assert facts.dtype == "bfloat16"
    assert facts.architecture == "LlamaForCausalLM"
    assert facts.max_length == 2048
    assert facts.vocab_size == 1024
    assert facts.quantization is None
    assert not facts.encoder_decoder
    # 2 layers, 1 KV head of 32, keys and values, two bytes each
    assert facts.kv_bytes_per_token == 2 * 2 * 1 * 32 * 2
    whole = checkpoint.inspect(tiny_model)
    assert whole.weight_bytes > 4 * (whole.parameters or 0)


def test_the_window_is_lm_evals(tmp_path: Path, tiny_model: Path) -> None:
    from lm_eval.models.utils import resolve_max_length
    from transformers import AutoConfig, AutoTokenizer

    configs = {
        "gpt2": {"model_type": "gpt2", "n_positions": 1024, "vocab_size": 1024},
        "llama": {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 1024},
        "bloom": {"model_type": "bloom", "vocab_size": 1024},
        "falcon": {"model_type": "falcon", "vocab_size": 1024},
        "gemma3": {"model_type": "gemma3", "text_config": {"max_position_embeddings": 512, "vocab_size": 1024}},
    }
    for name, content in configs.items():
        folder = shutil.copytree(tiny_model, tmp_path / name)
        (folder / "config.json").write_text(json.dumps(content))
        theirs = resolve_max_length(AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(tiny_model))
        assert checkpoint.inspect(folder).max_length == theirs, name


# ── fingerprints ─────────────────────────────────────────────────────────────


def test_a_fingerprint_is_of_content_not_of_place(tiny_model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_model, tmp_path / "elsewhere")
    cache = tmp_path / "cache"
    original = checkpoint.fingerprint(tiny_model, cache)
    assert checkpoint.fingerprint(copy, cache) == original
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "_name_or_path": "/some/where"}))
    assert checkpoint.fingerprint(copy, cache) == original
    (copy / "config.json").write_text(json.dumps({**config, "rope_theta": 5.0}))
    assert checkpoint.fingerprint(copy, cache) != original


def test_an_overwritten_fine_tune_is_another_model(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = make_checkpoint(tmp_path / "my-finetune", seed=1)
    first = checkpoint.fingerprint(folder, cache)
    size = (folder / "model.safetensors").stat().st_size
    make_checkpoint(folder, seed=2)
    assert (folder / "model.safetensors").stat().st_size == size
    assert checkpoint.fingerprint(folder, cache) != first
    make_checkpoint(folder, seed=1)
    assert checkpoint.fingerprint(folder, cache) == first


def test_one_changed_bit_is_another_model(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = make_checkpoint(tmp_path / "model")
    weights = folder / "model.safetensors"
    first = checkpoint.fingerprint(folder, cache)
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert checkpoint.fingerprint(folder, cache) != first


def test_an_unchanged_file_is_not_read_again(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.models import fingerprint as module

    cache = tmp_path / "cache"
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    for file in folder.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    first = checkpoint.fingerprint(folder, cache)

    def refuse(file: Path) -> str:
        raise AssertionError(f"{file} was hashed again")

    monkeypatch.setattr(module, "_hash", refuse)
    assert checkpoint.fingerprint(folder, cache) == first


def test_a_cache_that_cannot_be_kept_costs_nothing_but_time(tiny_model: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "fingerprints.json").write_text("{broken")
    assert checkpoint.fingerprint(tiny_model, blocked) == checkpoint.fingerprint(tiny_model, kept)


def test_adapters_have_fingerprints_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    first = make_adapter(tiny_model, tmp_path / "first", seed=1)
    again = make_adapter(tiny_model, tmp_path / "again", seed=1)
    other = make_adapter(tiny_model, tmp_path / "other", seed=2)
    of = [checkpoint.fingerprint_adapter(path, tmp_path / "cache") for path in (first, again, other)]
    assert of[0] == of[1] != of[2]
