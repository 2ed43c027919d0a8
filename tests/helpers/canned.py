"""The engine of canned answers as a plug-in, for commands in processes of their own and for replicas.

`declare` writes the distribution that names it. As a script for `warm.start`, this file runs the `evalkit` command with
it: the process that commands are forked from has read the plug-ins already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.engines import mock
from evalkit.engines.base import Engine
from evalkit.engines.spec import EngineSettings, EngineSpec
from evalkit.types import Adapter, ModelSpec


def _start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    engine = mock.load(model, tokenizer, adapters)
    engine.name = "canned"  # a run that goes on must have the engine that it began with
    return engine


SPEC = EngineSpec(
    name="canned",
    title="canned answers",
    semantics="canned/1",
    start=_start,
    start_needs_tokenizer=False,
    arguments=frozenset({"delay"}),
    pace_arguments=frozenset({"delay"}),
)
"""Seconds for each answer stand in --model-args delay."""

FILES = {
    "METADATA": "Metadata-Version: 2.1\nName: canned\nVersion: 0\n",
    "entry_points.txt": "[evalkit.engines]\ncanned = tests.helpers.canned:SPEC\n",
}


def declare(folder: Path) -> dict[str, str]:
    """Write the distribution, and return the variables with which processes find it."""
    info = folder / "canned-0.dist-info"
    info.mkdir(parents=True)
    for name, text in FILES.items():
        (info / name).write_text(text)
    root = Path(__file__).resolve().parents[2]
    return {"PYTHONPATH": os.pathsep.join([str(root), str(folder)])}


def main() -> None:
    from evalkit import cli, plugins
    from evalkit.engines import spec

    sys.path += os.environ["PYTHONPATH"].split(os.pathsep)
    plugins.installed.cache_clear()
    spec.all_specs.cache_clear()
    cli.main()


if __name__ == "__main__":
    main()
