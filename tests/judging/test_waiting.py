"""A server that says nothing: the user is told after ten seconds, and the command ends at `give_up`."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.helpers import warm
from tests.helpers.hostile import HostileServer, answered
from tests.helpers.judged import RUBRIC, environment, make_run

VERBS = ("run", "judge run", "judge steps", "judge audit")


def against_a_silent_server(folder: Path, verb: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """What the verb did, and the server's address."""
    silent = answered()
    silent.hold = threading.Event()
    with HostileServer(lambda path, headers, body: silent) as server:
        if verb == "run":
            asked = ["run", "--engine", "openai", "--model", "fake", "--tasks", "mini_arithmetic", "--limit", "2"]
            asked += ["--model-args", f"base_url={server.url},give_up=12"]
        else:
            make_run(folder, 2)
            (folder / "one.yaml").write_text(RUBRIC)
            asked = [*verb.split(), *(["r1"] if verb == "judge run" else [])]
            asked += ["--rubric", "one.yaml", "--judge", f"openai:fake@{server.url}"]
            asked += ["--judge-args", "give_up=12"]
        done = warm.run(*asked, "--output-path", str(folder), env=environment(), cwd=folder)
        silent.hold.set()
    return done, server.url


@pytest.fixture(scope="module")
def waited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[subprocess.CompletedProcess[str], str]]:
    """All verbs at once, as each waits for twelve seconds."""
    folders = [tmp_path_factory.mktemp("silent") for _ in VERBS]
    with ThreadPoolExecutor(len(VERBS)) as pool:
        return dict(zip(VERBS, pool.map(against_a_silent_server, folders, VERBS), strict=True))


@pytest.mark.parametrize("verb", VERBS)
def test_a_silent_server_is_told_of_and_given_up(
    verb: str, waited: dict[str, tuple[subprocess.CompletedProcess[str], str]]
) -> None:
    done, url = waited[verb]
    assert done.returncode == 4, done.stderr
    told = done.stderr.index(f"waiting for {url} for 10 s")
    assert told < done.stderr.index(f"{url} gave no answer for 12 s")
    assert "Traceback" not in done.stderr
