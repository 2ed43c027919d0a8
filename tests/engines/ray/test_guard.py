"""The process that ends what is left of a local cluster: whom it finds, and what happens where it cannot start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evalkit.engines.ray import guard
from evalkit.engines.ray.cluster import Cluster
from evalkit.errors import EngineError


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not show open files under /proc")
def test_it_finds_processes_of_a_folder_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk" / "evalkit-ray-1").mkdir(parents=True)
    (tmp_path / "tmp").symlink_to(tmp_path / "disk")
    folder = tmp_path / "tmp" / "evalkit-ray-1"
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-c", "import sys; print('up', flush=True); input()", "/ray/core/src/daemon"]
        daemon = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log)
    try:
        while not (folder / "log").read_text() and daemon.poll() is None:
            time.sleep(0.01)  # until it runs, the system may show no command line
        assert guard._users_of(str(folder)) == [daemon.pid]
        assert guard._users_of(f"{folder}/") == [daemon.pid]
        assert guard._users_of(str(tmp_path / "tmp" / "evalkit-ray")) == []
    finally:
        daemon.communicate(b"\n")


def test_where_it_cannot_start_there_is_an_error_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("evalkit.engines.ray.cluster._LONGEST_FOLDER", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(guard.subprocess, "Popen", refuse)
    with pytest.raises(EngineError, match="could not be started: Resource temporarily unavailable"):
        Cluster.local(2, 0)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(EngineError, match="has no folder: No such file"):
        Cluster.local(2, 0)
