"""Runs one evalkit command again and again, kills it at random moments, and keeps count of what the engine was sent.

    python -m tests.helpers.killing --kills 20 --seed 0 --out report.json -- run --model … --output-path …

The libraries are imported once; each attempt is a fork, so that an attempt costs seconds and not half a minute.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.helpers.processes import children, wait_until_ended
from tests.helpers.warmserver import warm


def main() -> None:
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=0.6, help="seconds from the first new answer to the kill")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(sys.argv[1:split])
    command = sys.argv[split + 1 :]
    root = Path(command[command.index("--output-path") + 1])
    warm()

    dice = random.Random(asked.seed)
    kept: dict[str, str] = {}
    attempts: list[dict[str, Any]] = []
    kills = 0
    while True:
        left: list[int] = []
        log = asked.out.with_suffix(f".sent{len(attempts)}")
        child = _start(command, log)
        code = None
        if kills < asked.kills:
            code = _wait_for_news(child, root, len(kept))
            if code is None:
                time.sleep(dice.uniform(0, asked.longest))
                below = children(child)
                os.kill(child, signal.SIGKILL)
                left = wait_until_ended(below, seconds=2)
        if code is None:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sent = log.read_text().split() if log.exists() else []
        now = answers(root)
        attempts.append(
            {
                "exit": code,
                "left": left,
                "sent": len(sent),
                "sent_again": len(set(sent) & set(kept)),
                "kept_before": len(kept),
                "changed": sum(now.get(key) != value for key, value in kept.items()),
            }
        )
        kept = now
        if code == -signal.SIGKILL:
            kills += 1
        elif code == 0 and kills < asked.kills:
            # A fast machine was done before it had been killed often enough: from the beginning.
            shutil.rmtree(root)
            kept = {}
        else:
            break
    asked.out.write_text(json.dumps(attempts))


def _start(command: list[str], log: Path) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    output = os.open(log.with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        _count_what_is_sent(log)
        from evalkit.cli import main as evalkit

        evalkit(command)
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count_what_is_sent(log: Path) -> None:
    """Between the runner and the engine: every request that is handed over leaves its key in the log first."""
    loop: Any = importlib.import_module("evalkit.runner.loop").AnswerLoop
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    work = loop.work

    def watched(self: Any) -> Iterator[Any]:
        for item in work(self):
            if item is not None:
                os.write(file, "".join(f"{self.requests.keys[id_].hex()}\n" for id_ in item.ids).encode())
            yield item

    loop.work = watched


def _wait_for_news(child: int, root: Path, known: int) -> int | None:
    """Until an answer more is kept; the exit code where the run ended before."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if len(answers(root)) > known:
            return None
        time.sleep(0.02)


def answers(root: Path) -> dict[str, str]:
    """Key → value of all that the journal has on disk."""
    file = root / ".journal" / "answers.db"
    if not file.exists():
        return {}
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5) as database:
            rows = database.execute("SELECT key, value FROM answers").fetchall()
    except sqlite3.OperationalError:
        return {}
    return {bytes(key).hex(): bytes(value).hex() for key, value in rows}


if __name__ == "__main__":
    main()
