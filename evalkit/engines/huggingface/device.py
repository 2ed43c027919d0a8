"""Finds the device of --device."""

from __future__ import annotations

import torch

from evalkit.errors import UsageError

__all__ = ["find_device"]


def find_device(asked: str | None) -> torch.device:
    """The requested device; by default a GPU if there is one. Raises UsageError if the device does not exist."""
    try:
        device = torch.device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, ValueError):
        raise UsageError(f"no device {asked!r}: type device=cpu, device=cuda or device=cuda:1") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device={asked} was asked for, and PyTorch sees no GPU here; leave it out to use the CPU")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device={asked} was asked for, and there are {torch.cuda.device_count()} GPUs")
    return device
