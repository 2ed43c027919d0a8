"""Runs the golden cases with one tree's code and stores what came out."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from goldens.normal import Normal

__all__ = ["Group", "Recorder", "groups"]

HERE = Path(__file__).parent
# Made by evalkit for itself, or by the recording.
UNRECORDED = (".journal", ".staging", "home")
FIRST_PORT = 18765
# The server takes any free port. Here each group has its own, as a judge's address stands in the judge's fingerprint.
SERVE = """
import asyncio, functools, runpy, sys
start, port = asyncio.start_server, int(sys.argv.pop(1))
asyncio.start_server = lambda serve, host, _, **more: start(serve, host, port, **more)
sys.argv = [sys.argv[1], *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Group:
    """Cases that share a folder and run in order; each is a name and a command line of evalkit."""

    name: str
    cases: dict[str, str]
    needs: tuple[str, ...] = ()
    """Modules that must be installed."""
    server: dict[str, Any] | None = None
    """Settings of the tests' OpenAI server, which then stands behind OPENAI_BASE_URL."""
    env: dict[str, str] = field(default_factory=dict)
    heavy: bool = False
    """Whether it waits for --lock."""
    cold: bool = False
    """Whether each case has a Python of its own, as an engine that starts processes needs."""
    keys: bool = False
    """Whether only the keys of what is written count: the values are the machine's."""


def groups(pattern: str) -> list[Group]:
    """The groups of cases/*.yaml whose name fits the pattern, in order."""
    import yaml

    found = []
    for file in sorted((HERE / "cases").glob("*.yaml")):
        for name, entry in yaml.safe_load(file.read_text()).items():
            found.append(Group(name, **{**entry, "needs": tuple(entry.get("needs", ()))}))
    return [group for group in found if any(fnmatch(group.name, part) for part in pattern.split(","))]


class Recorder:
    """Runs groups under a folder whose path is always the same, as paths stand in hashes and widths of tables."""

    def __init__(self, out: Path, python: str, tree: Path, inputs: Path, hub: Path, lock: Path | None) -> None:
        self.out, self.python, self.tree, self.inputs, self.hub, self.lock = out, python, tree, inputs, hub, lock
        self.work = Path(tempfile.gettempdir()) / f"evalkit-golden-{os.getuid()}"
        self.local = threading.local()
        self.normal = Normal(
            {
                str(tree): "<tree>",
                str(self.work): "<work>",
                str(hub.resolve().parent): "<shared>",
                os.uname().nodename: "<host>",
            }
        )

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("EVALKIT_", "OPENAI_"))}
        return {
            **kept,
            "PYTHONPATH": str(self.tree),
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "EVALKIT_DATA_DIR": str(self.hub),
            "OPENAI_API_KEY": "sk-not-a-key",
        }

    def record(self, chosen: list[Group], jobs: int) -> None:
        with (Path(tempfile.gettempdir()) / f"{self.work.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(self.work, ignore_errors=True)
            shutil.copytree(self.inputs, self.work / "inputs")
            shutil.copytree(HERE / "files", self.work / "inputs", dirs_exist_ok=True)
            (self.work / "shared").symlink_to(self.hub.resolve().parent)
            with ThreadPoolExecutor(jobs) as pool:
                for _ in pool.map(self.group, chosen):
                    pass
            shutil.rmtree(self.work, ignore_errors=True)

    def group(self, group: Group) -> None:
        shutil.rmtree(self.out / group.name, ignore_errors=True)
        missing = [name for name in group.needs if importlib.util.find_spec(name) is None]
        if missing:
            print(f"{group.name}: left out, {', '.join(missing)} is not installed", flush=True)
            return
        folder = self.work / group.name
        folder.mkdir(parents=True)
        env = {**self.environment(), **group.env}
        begun = time.monotonic()
        with self._waited(group), self._served(group, env):
            for name, line in group.cases.items():
                self._case(group, name, line, folder, env)
        print(f"{group.name}: {len(group.cases)} cases in {time.monotonic() - begun:.0f} s", flush=True)

    def _case(self, group: Group, name: str, line: str, folder: Path, env: dict[str, str]) -> None:
        words = shlex.split(line)
        own = dict(word.split("=", 1) for word in words if word.split("=", 1)[0].isupper() and "=" in word)
        words = words[len(own) :]
        before = _stamps(folder)
        code, out, err = self._call(words, folder, {**env, **own}, group.cold)
        kept = self.out / group.name / name
        kept.mkdir(parents=True)
        (kept / "case.json").write_text(json.dumps({"line": line, "exit": code}, indent=1) + "\n")
        files = {
            "stdout.txt": self._printed(out),
            "stderr.txt": self.normal.stderr(err),
        }
        for path, stamp in _stamps(folder).items():
            if before.get(path) != stamp:
                files |= self.normal.files(folder / path, path)
        if group.keys:
            files = {path: self.normal.keys(text) for path, text in files.items() if path.endswith(".json")}
        for path, text in files.items():
            (kept / path).parent.mkdir(parents=True, exist_ok=True)
            (kept / path).write_text(text, encoding="utf-8")

    def _call(self, words: list[str], cwd: Path, env: dict[str, str], cold: bool) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of one command line, in a fork of a warm process unless it must be cold."""
        if cold:
            done = subprocess.run(
                [self.python, "-m", "evalkit", *words],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
            return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if not hasattr(self.local, "warm"):
            self.local.warm = subprocess.Popen(
                [self.python, str(HERE / "warm.py")],
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        printed = [self.work / f"{cwd.name}.{kind}" for kind in ("stdout", "stderr")]
        case = {"argv": words, "cwd": str(cwd), "env": env, "stdout": str(printed[0]), "stderr": str(printed[1])}
        self.local.warm.stdin.write(json.dumps(case) + "\n")
        self.local.warm.stdin.flush()
        code = int(self.local.warm.stdout.readline())
        return code, *(path.read_text(encoding="utf-8", errors="replace") for path in printed)

    def _printed(self, text: str) -> str:
        try:
            return self.normal.whole(json.loads(text))
        except ValueError:
            return self.normal.text(text)

    @contextmanager
    def _waited(self, group: Group) -> Iterator[None]:
        if not (group.heavy and self.lock):
            yield
            return
        with self.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _served(self, group: Group, env: dict[str, str]) -> Iterator[None]:
        if group.server is None:
            yield
            return
        port = FIRST_PORT + zlib.crc32(group.name.encode()) % 10_000
        env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
        command = [sys.executable, "-c", SERVE, str(port), str(self.inputs / "loopback.py"), json.dumps(group.server)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield
        finally:
            server.kill()
            server.wait()


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file under the folder with its time and size."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not set(name.parts) & set(UNRECORDED):
            found[str(name)] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found
