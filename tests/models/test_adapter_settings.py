"""Settings of an adapter that would have a library import, load or allocate something: refused before it sees them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import CheckpointError
from evalkit.models.adapters import adapter_config
from evalkit.models.checkpoint import resolve_adapter


def adapter(folder: Path, **settings: Any) -> Path:
    """A folder with these settings and no usable weights: what is refused is refused before they are read."""
    folder.mkdir()
    plain = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "megatron_core": "megatron.core"}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **settings}))
    (folder / "adapter_model.bin").write_bytes(b"")
    return folder


def test_no_adapter_has_a_module_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "megatron").mkdir()
    (tmp_path / "megatron" / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    for n, (core, config) in enumerate(
        [("planted", {"x": 1}), ("megatron.planted", {"x": 1}), ("planted", None), (None, [1]), (5, None), (["os"], {})]
    ):
        folder = adapter(tmp_path / f"a{n}", megatron_core=core, megatron_config=config)
        for read in (resolve_adapter, adapter_config):
            with pytest.raises(CheckpointError, match="ask peft to import a Python module"):
                read(str(folder))
    assert not (tmp_path / "ran").exists()
    assert "planted" not in sys.modules


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peft_type": ["LORA"]}, "peft_type"),
        ({"peft_type": "XLORA"}, "load files from other places"),
        ({"peft_type": "xlora", "adapters": {"0": "/elsewhere"}}, "load files from other places"),
        ({"peft_type": "SHADOW", "shadow_model": "someone/model"}, "load files from other places"),
        ({"prompt_tuning_init_state_dict_path": "/elsewhere.bin"}, "load files from other places"),
        ({"r": 10**9}, "r is 1000000000"),
        ({"r": 10**400}, "r is 1000"),
        ({"r": -1}, "r is -1"),
        ({"r": True}, "r is True"),
        ({"rank_pattern": {"q_proj": 10**9}}, "rank_pattern of 'q_proj'"),
        ({"rank_pattern": {"q_proj": "8"}}, "rank_pattern of 'q_proj'"),
        ({"rank_pattern": [8]}, "rank_pattern is"),
        ({"alpha_pattern": 5}, "alpha_pattern is"),
        ({"target_modules": [["q_proj"]]}, "target_modules is"),
        ({"modules_to_save": 5}, "modules_to_save is"),
        ({"layer_replication": [[0, 2]] * 10_000}, "layer_replication makes"),
        ({"layer_replication": [[0, 10**9]]}, "layer_replication makes"),
        ({"layer_replication": [0, 1]}, "layer_replication is"),
    ],
)
def test_odd_settings_are_refused_in_one_line(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    folder = adapter(tmp_path / "a", **settings)
    with pytest.raises(CheckpointError, match=said) as raised:
        resolve_adapter(str(folder))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_what_peft_writes_is_taken(tiny_adapters: tuple[Path, Path]) -> None:
    for folder in tiny_adapters:
        assert resolve_adapter(str(folder)) == folder
        assert adapter_config(folder)["megatron_core"] == "megatron.core"
