"""--push, against a server on the loopback that records what the hub's own library asks of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.exporting import KEY, PRIVATE, bytes_below, private_run

ROOT = Path(__file__).resolve().parents[2]
CARD = "---\nlicense: mit\n---\n# My model\n"
COMMIT = "0" * 40


class Hub:
    """Enough of the hub for a model card, a pull request and the question whether a data set is a benchmark."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.card = CARD
        self.benchmarks = {"openai/gsm8k"}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hub.requests.append((self.command, self.path, body))
                status, content = hub.reply(self.command, self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"e"')
                self.send_header("X-Repo-Commit", COMMIT)
                if status == 404:
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("README.md"):
            return 200, self.card.encode()
        if path.endswith("eval.yaml"):
            return (200 if any(name in path for name in self.benchmarks) else 404), b"tasks: []\n"
        if path.startswith("/api/validate-yaml"):
            return 200, b'{"errors": [], "warnings": []}'
        if "/preupload/" in path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return 200, json.dumps({"files": files}).encode()
        if "/commit/" in path:
            for name, text in committed(body).items():
                if name == "README.md":
                    self.card = text
            request = f"{self.url}/me/my-model/discussions/3" if "create_pr=1" in path else None
            reply = {"success": True, "commitOid": COMMIT, "commitUrl": f"{self.url}/me/my-model/commit/{COMMIT}"}
            return 200, json.dumps({**reply, **({"pullRequestUrl": request} if request else {})}).encode()
        return 404, b"{}"

    def commits(self) -> list[tuple[str, dict[str, str]]]:
        return [(path, committed(body)) for verb, path, body in self.requests if "/commit/" in path]


def committed(body: bytes) -> dict[str, str]:
    lines = [json.loads(line) for line in body.splitlines()]
    files = [line["value"] for line in lines if line["key"] == "file"]
    return {file["path"]: base64.b64decode(file["content"]).decode() for file in files}


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.server.shutdown()
    made.server.server_close()


def export(run: Path, tmp_path: Path, url: str, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's library reads its address when it is imported."""
    variables = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT), **env}
    variables.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "evalkit", "export", str(run), "--to", "hf", "--out", str(tmp_path / "out"), *more]
    return subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=300)


def test_push_opens_one_pull_request_with_card_and_entries(hub: Hub, tmp_path: Path) -> None:
    run = private_run(tmp_path)
    done = export(run, tmp_path, hub.url, "--push", "--repo", "me/my-model", HF_TOKEN="hf_canary0123456789", MY_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert f"pull request {hub.url}/me/my-model/discussions/3" in done.stdout
    opened, filled = hub.commits()
    assert "create_pr=1" in opened[0]
    assert "model-index" in opened[1]["README.md"]
    assert "refs%2Fpr%2F3" in filled[0]
    assert set(filled[1]) == {".eval_results/gsm8k.yaml", "README.md"}
    card = filled[1]["README.md"]
    assert card.startswith("---\n")
    assert "# My model" in card
    assert "0.6666666666666666" in card
    assert "<!-- evalkit:begin -->" in card
    sent = b"".join(body + path.encode() for _, path, body in hub.requests)
    files = b"".join(text.encode() for _, commit in hub.commits() for text in commit.values())
    for secret in (KEY, PRIVATE, "hf_canary0123456789"):
        assert secret.encode() not in sent + files


def test_without_push_nothing_is_asked_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    done = export(private_run(tmp_path), tmp_path, hub.url, HF_TOKEN="hf_canary0123456789")
    assert done.returncode == 0, done.stderr
    assert "nothing was sent" in done.stdout
    assert hub.requests == []
    assert (tmp_path / "out" / ".eval_results" / "gsm8k.yaml").is_file()


def test_what_stops_a_push_is_one_line(hub: Hub, tmp_path: Path) -> None:
    run = private_run(tmp_path)
    before = bytes_below(run)
    hub.benchmarks = set()
    push = ("--push", "--repo", "me/my-model")
    for url, more, env, code, said in (
        (hub.url, push, {"HF_TOKEN": "hf_canary0123456789"}, 4, "openai/gsm8k is no benchmark"),
        ("http://127.0.0.1:9", push, {"HF_TOKEN": "hf_canary0123456789"}, 4, "cannot be reached"),
        (hub.url, push, {"HF_TOKEN": ""}, 4, "no token"),
        (hub.url, ("--push",), {}, 2, "--repo ORG/MODEL"),
    ):
        done = export(run, tmp_path, url, *more, **env)
        assert done.returncode == code, done.stderr
        [line] = [line for line in done.stderr.splitlines() if line.startswith("evalkit: ")]
        assert said in line
        assert "Traceback" not in done.stderr
    assert hub.commits() == []
    assert bytes_below(run) == before
