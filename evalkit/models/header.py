"""Reads the header of a safetensors file: names, types and shapes of its tensors, checked against the file's size.

A header comes from outside, so it is validated. Only the header is read, so a truncated file is detected without
reading gigabytes of weights.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import CheckpointError
from evalkit.models.files import refuse_pointer
from evalkit.regularfile import open_regular_file

__all__ = ["Tensor", "read_header"]

_MOST_BYTES = 100_000_000
"""The limit of the safetensors library itself."""
_MOST_DIMENSIONS = 16
_LARGEST = 2**63
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def read_header(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a safetensors file by name. Raises CheckpointError if the file is truncated or not valid."""
    refuse_pointer(file)
    try:
        size = file.stat().st_size
        with open_regular_file(file) as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > size - 8:
                raise ValueError("its header is longer than the file")
            if length > _MOST_BYTES:
                raise ValueError(f"its header has {length:,} bytes, more than the {_MOST_BYTES:,} that are allowed")
            content = json.loads(stream.read(length))
        tensors, data = _tensors(content)
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    except RecursionError:
        raise CheckpointError(f"{file} is no whole safetensors file (its header is nested too deeply)") from None
    except (ValueError, struct.error) as error:
        raise CheckpointError(f"{file} is no whole safetensors file ({error}): copy or download it again.") from None
    end = 8 + length + data
    if end != size:
        raise CheckpointError(
            f"{file} is cut off or damaged: its header speaks of {end:,} bytes, it has {size:,}. "
            "Copy or download it again."
        )
    return tensors


def _tensors(content: Any) -> tuple[dict[str, Tensor], int]:
    """The tensors, and how many bytes they take. Raises ValueError if the header is not valid."""
    if not isinstance(content, dict):
        raise ValueError("its header is no JSON object")
    tensors: dict[str, Tensor] = {}
    end = 0
    for name, entry in content.items():
        if name == "__metadata__":
            continue
        shown = repr(name[:80])
        entry = entry if isinstance(entry, dict) else {}
        dtype, shape, offsets = entry.get("dtype"), _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
        if not isinstance(dtype, str) or shape is None or len(shape) > _MOST_DIMENSIONS:
            raise ValueError(f"its header gives {shown} no type or no shape")
        if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise ValueError(f"its header gives {shown} no place in the file")
        tensors[name] = tensor = Tensor(dtype, shape)
        if dtype in _BITS and (tensor.size * _BITS[dtype] + 7) // 8 != offsets[1] - offsets[0]:
            raise ValueError(f"its header gives {shown} another shape than its place in the file has room for")
        end = max(end, offsets[1])
    return tensors, end


def _sizes(value: Any) -> tuple[int, ...] | None:
    """A list of whole numbers from 0 to a high limit; None for anything else."""
    if not isinstance(value, list) or not all(type(part) is int and 0 <= part < _LARGEST for part in value):
        return None
    return tuple(value)
