"""Files that others made are files: a pipe with the name of one is refused, and never waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.errors import RunFolderError
from evalkit.results.foreign.archive import Archive
from evalkit.results.foreign.inspect_log import looks_like_log
from evalkit.results.foreign.reading import read_bytes, read_rows


@pytest.mark.parametrize("read", [read_bytes, lambda path: list(read_rows(path)), Archive], ids=["JSON", "rows", "zip"])
def test_a_pipe_is_refused_without_waiting_for_a_writer(read: Callable[[Path], object], tmp_path: Path) -> None:
    pipe = tmp_path / "results_2026.json"
    os.mkfifo(pipe)
    with pytest.raises(RunFolderError, match="pipe or a device"):
        read(pipe)
    assert not looks_like_log(pipe)
