"""Describes the machine and the installed packages, for the manifest and `evalkit doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TypedDict

__all__ = ["Hardware", "hardware", "versions"]

_PACKAGES = ("lm_eval", "datasets", "numpy")
"""The packages that every engine uses."""


class Hardware(TypedDict):
    """The machine, as the manifest holds it. None: not known."""

    machine: str
    system: str
    python: str
    cpu: str | None
    cores: int | None
    memory_gib: float | None
    gpus: list[str]


def hardware() -> Hardware:
    """Describe the machine: system, Python, CPU, memory and GPUs."""
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "gpus": _gpus(),
    }


def versions(engines: Iterable[str] = ()) -> dict[str, str]:
    """The versions of the engines' packages and of evalkit's own; packages that are not installed are left out."""
    installed = {}
    for package in dict.fromkeys((*engines, *_PACKAGES)):
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def _cpu() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpus() -> list[str]:
    """The GPUs as nvidia-smi lists them: importing torch for this would take seconds."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
