"""The Ray cluster that this machine belongs to, for `evalkit doctor`. Ray itself is asked in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["address", "describe"]

_PATIENCE = 30.0
_ASK = """
import ray, logging
ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
alive = [node for node in ray.nodes() if node["Alive"]]
gpus = int(ray.cluster_resources().get("GPU", 0))
print(f"{len(alive)} nodes, {int(ray.cluster_resources().get('CPU', 0))} CPUs, {gpus} GPUs")
"""


def describe() -> str:
    """Whether a cluster runs that `--cluster auto` would use, and what it has."""
    version = f"Ray {metadata.version('ray')}"
    found = address()
    if found is None:
        return f"{version}; no cluster runs here, --replicas starts one for the run"
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_PATIENCE, env=quiet, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return f"{version}; a cluster should run at {found}, and does not answer"
    return f"{version}; cluster at {found}: {answer.stdout.strip().splitlines()[-1]}"


def address() -> str | None:
    """As Ray finds it: the variable RAY_ADDRESS, else the file that `ray start` leaves."""
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    try:
        return (Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster").read_text().strip() or None
    except OSError:
        return None
