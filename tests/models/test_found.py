"""What is asked of a model and its adapters: tensors that are missing, and whose code may run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import CheckpointError, UsageError
from evalkit.models.adapters import check_fits
from evalkit.models.found import find_model

Tensors = dict[str, Any]


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


def renamed(tensors: Tensors) -> Tensors:
    return {name.replace("q_proj", "k_proj"): value for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("layers.0.self_attn.q_proj.lora_A"),
            r"1 tensors or modules .*layers\.0\.self_attn\.q_proj\.lora_A",
        ),
        (without("layers.1.self_attn.q_proj.lora_B"), r"1 tensors or modules .*layers\.1.*lora_B"),
        (without("layers.1."), r"tensors or modules that its adapter_config\.json promises are not in its files"),
        (
            lambda tensors: {n.replace("q_proj", "k_proj"): t for n, t in tensors.items()},
            "modules that its adapter_config",
        ),
    ],
)
def test_an_adapter_with_other_tensors_than_it_promises_is_refused(
    tiny_model: Path,
    tiny_adapters: tuple[Path, Path],
    tmp_path: Path,
    change: Callable[[Tensors], Tensors],
    message: str,
) -> None:
    from safetensors.torch import load_file, save_file

    check_fits(tiny_model, tiny_adapters[0])
    folder = Path(shutil.copytree(tiny_adapters[0], tmp_path / "adapter"))
    file = folder / "adapter_model.safetensors"
    save_file(change(load_file(file)), file)
    with pytest.raises(CheckpointError, match=message):
        check_fits(tiny_model, folder)


def test_an_adapter_of_some_layers_is_whole_where_its_settings_say_so(
    tiny_model: Path, tiny_adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_adapters[0], tmp_path / "adapter"))
    file, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    save_file(without("layers.1.")(load_file(file)), file)
    config.write_text(json.dumps({**json.loads(config.read_text()), "layers_to_transform": [0]}))
    check_fits(tiny_model, folder)


@pytest.mark.parametrize("said", ["no", "off", "0", "FALSE", "none", 0, False, None, ""])
def test_only_a_plain_yes_lets_a_models_code_run(tiny_model: Path, said: Any) -> None:
    assert find_model(str(tiny_model), {"trust_remote_code": said}).spec.trust_remote_code is False
    assert find_model(str(tiny_model), {"trust_remote_code": "True"}).spec.trust_remote_code is True
    with pytest.raises(UsageError, match="trust_remote_code=maybe: true or false"):
        find_model(str(tiny_model), {"trust_remote_code": "maybe"})
