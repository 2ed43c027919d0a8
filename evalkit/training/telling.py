"""Reports each event of a watch: on the screen, in a file, to a command and to a URL. Failures are noted."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalkit.errors import UsageError
from evalkit.types import JsonObject

__all__ = ["Telling", "append_line", "as_json"]

_PATIENCE = 60.0
"""Seconds that a command may take."""
_POST_PATIENCE = 10.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Telling:
    note: Callable[[str], None]
    log: Path | None = None
    command: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and not _is_http(self.url):
            raise UsageError(f"--post {self.url}: a URL begins with http:// or https://")
        try:
            words = shlex.split(self.command or "")
        except ValueError as error:
            raise UsageError(f"--exec {self.command}: {error}") from None
        if self.command is not None and not words:
            raise UsageError("--exec: a command is wanted")

    def tell(self, event: JsonObject, line: str) -> None:
        """Report an event as JSON, and as a line in words."""
        self.note(line)
        text = as_json(event)
        if (log := self.log) is not None:
            self._tried("the log", lambda: append_line(log, event))
        if self.command is not None:
            self._tried("--exec", lambda: self._run(text))
        if self.url is not None:
            self._tried("--post", lambda: self._post(text))

    def _tried(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, subprocess.SubprocessError, http.client.HTTPException, ValueError) as error:
            self.note(f"{what} failed: {str(error) or type(error).__name__}")

    def _run(self, text: str) -> None:
        """The command gets the event on its standard input. No shell reads it: a checkpoint's name is only a word."""
        done = subprocess.run(
            shlex.split(self.command or ""),
            input=f"{text}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PATIENCE,
            env=os.environ,
        )
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            self.note(f"--exec ended with {done.returncode}{': ' + last[0] if last else ''}")

    def _post(self, text: str) -> None:
        """A server that sends a byte now and then is left behind, so that it cannot hold up the watch."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(str(self.url), text.encode(), headers, method="POST")
        failures: list[Exception] = []

        def post() -> None:
            try:
                with urllib.request.build_opener(_NoRedirects).open(request, timeout=_POST_PATIENCE):
                    pass
            except Exception as error:
                failures.append(error)

        sender = threading.Thread(target=post, daemon=True)
        sender.start()
        sender.join(2 * _POST_PATIENCE)
        if failures:
            raise failures[0]
        if sender.is_alive():
            raise TimeoutError(f"no whole answer within {2 * _POST_PATIENCE:.0f} s")


def append_line(path: Path, event: JsonObject) -> None:
    """Add the event to a file of JSON lines.

    Where its last line was cut short by a full disk or a kill, the event begins a line of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        begins_line = file.seek(0, os.SEEK_END) == 0 or (file.seek(-1, os.SEEK_END) >= 0 and file.read(1) == b"\n")
        file.write((("" if begins_line else "\n") + as_json(event) + "\n").encode())


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def as_json(content: JsonObject, indent: int | None = None) -> str:
    """JSON that UTF-8 can hold. A file's name may be no text; it is then escaped."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text
