"""Fixtures of the sandbox's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.sandbox import Limits, Sandbox


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox.start(limits=Limits(seconds=1.5)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def humaneval(hub: Path) -> list[dict[str, str]]:
    import pyarrow.parquet

    files = sorted((hub / "openai" / "openai_humaneval").rglob("*.parquet"))
    if not files:
        pytest.skip(f"no openai/openai_humaneval under {hub}; set EVALKIT_DATA_DIR to a mirror that has it")
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
