"""A safetensors header is read within bounds: whatever stands in it, one clear line is the answer."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import CheckpointError
from evalkit.models.adapters import tensor_shapes
from evalkit.models.header import Tensor, read_header

WHOLE = {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def written(folder: Path, header: Any, data: int = 24, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = folder / "adapter_model.safetensors"
    file.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(data))
    return file


def test_names_types_and_shapes_are_read(tmp_path: Path) -> None:
    file = written(tmp_path, {"__metadata__": {"format": "pt"}, **WHOLE})
    assert read_header(file) == {"w": Tensor("F32", (2, 3))}
    assert read_header(file)["w"].size == 6
    assert tensor_shapes(tmp_path) == {"w": (2, 3)}


def entry(**changed: Any) -> dict[str, Any]:
    return {"w": {**WHOLE["w"], **changed}}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ([1, 2], "no JSON object"),
        ("text", "no JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        ({"w": 3}, "no type or no shape"),
        ({"w": None}, "no type or no shape"),
        (entry(dtype=4), "no type or no shape"),
        (entry(shape="23"), "no type or no shape"),
        (entry(shape=[2, "3"]), "no type or no shape"),
        (entry(shape=[-2, -3]), "no type or no shape"),
        (entry(shape=[True, 6]), "no type or no shape"),
        (entry(shape=[10**400]), "no type or no shape"),
        (entry(shape=[1] * 100_000), "no type or no shape"),
        (entry(shape=[2.0, 3]), "no type or no shape"),
        (entry(data_offsets=[24, 0]), "no place in the file"),
        (entry(data_offsets=[0]), "no place in the file"),
        (entry(data_offsets={"a": 1}), "no place in the file"),
        (entry(data_offsets=[0, 1e300]), "no place in the file"),
        (entry(shape=[2**62, 2**62]), "another shape"),
        (entry(shape=[2, 2]), "another shape"),
        (entry(data_offsets=[0, 48], shape=[12]), "cut off or damaged"),
        (b"\xff\xfe\x00", "no whole safetensors file"),
        (b"{" + b'"a":' + b"9" * 5000 + b"}", "no whole safetensors file"),
    ],
)
def test_an_odd_header_is_refused_in_one_line(tmp_path: Path, header: Any, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as raised:
        read_header(written(tmp_path, header))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_a_header_longer_than_the_file_or_than_safetensors_allows_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="longer than the file"):
        read_header(written(tmp_path, WHOLE, length=2**63))
    file = written(tmp_path, WHOLE, length=200_000_000)
    with file.open("r+b") as stream:
        stream.truncate(300_000_000)
    with pytest.raises(CheckpointError, match="more than the"):
        read_header(file)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, WHOLE).read_bytes()
    for length in range(len(whole)):
        file = tmp_path / "cut.safetensors"
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_header(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD = st.dictionaries(
    st.text(max_size=8), st.fixed_dictionaries({}, optional={"dtype": JSON, "shape": JSON, "data_offsets": JSON}) | JSON
)


@given(header=ODD | JSON)
def test_no_header_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, header: Any) -> None:
    file = written(tmp_path_factory.mktemp("odd"), header)
    try:
        tensors = read_header(file)
    except CheckpointError:
        return
    assert all(isinstance(tensor, Tensor) for tensor in tensors.values())
