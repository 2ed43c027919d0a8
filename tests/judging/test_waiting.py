"""A server that says nothing: the user is told after ten seconds, and the command ends at `give_up`."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.helpers import warm
from tests.helpers.hostile import HostileServer, answered
from tests.helpers.judged import RUBRIC, environment, make_run


@pytest.mark.parametrize("verb", ["run", "judge run", "judge steps", "judge audit"])
def test_a_silent_server_is_told_of_and_given_up(tmp_path: Path, verb: str) -> None:
    silent = answered()
    silent.hold = threading.Event()
    with HostileServer(lambda path, headers, body: silent) as server:
        if verb == "run":
            asked = ["run", "--engine", "openai", "--model", "fake", "--tasks", "mini_arithmetic", "--limit", "2"]
            asked += ["--model-args", f"base_url={server.url},give_up=12"]
        else:
            make_run(tmp_path, 2)
            (tmp_path / "one.yaml").write_text(RUBRIC)
            asked = [*verb.split(), *(["r1"] if verb == "judge run" else [])]
            asked += ["--rubric", "one.yaml", "--judge", f"openai:fake@{server.url}"]
            asked += ["--judge-args", "give_up=12"]
        done = warm.run(*asked, "--output-path", str(tmp_path), env=environment(), cwd=tmp_path)
        silent.hold.set()
    assert done.returncode == 4, done.stderr
    told = done.stderr.index(f"waiting for {server.url} for 10 s")
    assert told < done.stderr.index(f"{server.url} gave no answer for 12 s")
    assert "Traceback" not in done.stderr
