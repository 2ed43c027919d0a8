"""Programs judged a second: the sandbox beside the way `evaluate`'s code_eval works, in turns, in the same run.

    python bench/sandbox.py [--data-dir DIR] [--rounds 5] [--workers N] [--json FILE]

The other side follows the published description of that metric (its script is fetched from the hub, so it cannot
be had offline): four threads; for each program a manager process holding the result and a forked process that
changes to a temporary folder, disables some functions of `os`, hides the streams, sets an alarm and runs program
and tests together. It protects nothing: it is here for its speed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from evalkit.sandbox import Sandbox
from evalkit.types import Program

TIMEOUT = 3.0


def problems(data_dir: Path) -> list[dict[str, str]]:
    import pyarrow.parquet

    files = sorted((data_dir / "openai" / "openai_humaneval").rglob("*.parquet"))
    if not files:
        raise SystemExit(f"no openai/openai_humaneval under {data_dir}; name the mirror with --data-dir")
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def in_one_process(source: str, result: Any) -> None:
    def expire(number: int, frame: Any) -> None:
        raise TimeoutError

    with tempfile.TemporaryDirectory() as folder:
        keep = os.chdir, os.rmdir, os.unlink
        os.chdir(folder)
        os.system = os.kill = os.fork = os.putenv = None  # type: ignore[assignment]
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(source, {})
            result.append("passed")
        except BaseException as error:
            result.append(f"failed: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.chdir, os.rmdir, os.unlink = keep
        os.chdir("/")


def a_process_each(sources: list[str]) -> list[bool]:
    context = multiprocessing.get_context("fork")

    def check(source: str) -> bool:
        with context.Manager() as manager:
            result = manager.list()
            process = context.Process(target=in_one_process, args=(source, result))
            process.start()
            process.join(TIMEOUT + 1)
            if process.is_alive():
                process.kill()
            return list(result) == ["passed"]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(check, sources))


def timed(work: Callable[[], list[bool]]) -> tuple[float, int]:
    began = time.perf_counter()
    passed = sum(work())
    return time.perf_counter() - began, passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("EVALKIT_DATA_DIR", str(Path(__file__).parents[2] / "shared" / "hub"))
    parser.add_argument("--data-dir", type=Path, default=Path(default))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = problems(options.data_dir)
    programs = [Program(r["prompt"] + r["canonical_solution"], r["test"], r["entry_point"], r["prompt"]) for r in rows]
    whole = [f"{p.source}\n{p.tests}\ncheck({p.entry_point})" for p in programs]
    rates: dict[str, list[float]] = {"a process each": []}
    passed: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        boxes = {
            f"sandbox, {tier}": stack.enter_context(Sandbox.start(tier, workers=options.workers))
            for tier in ("namespaces", "landlock")
            if any(found.works for found in Sandbox.probe() if found.tier == tier)
        }
        rates.update({name: [] for name in boxes})
        for _ in range(options.rounds):
            seconds, passed["a process each"] = timed(lambda: a_process_each(whole))
            rates["a process each"].append(len(programs) / seconds)
            for name, box in boxes.items():
                seconds, passed[name] = timed(lambda box=box: [v.verdict == "passed" for v in box.judge(programs)])
                rates[name].append(len(programs) / seconds)
    base = statistics.median(rates["a process each"])
    table = {
        name: {
            "programs_per_second": statistics.median(found),
            "best": max(found),
            "ratio": statistics.median(found) / base,
            "passed": passed[name],
            "of": len(programs),
        }
        for name, found in rates.items()
    }
    print(f"{len(programs)} canonical solutions, {options.rounds} rounds in turns, {os.cpu_count()} CPUs, medians\n")
    print(f"{'':24}{'programs/s':>12}{'best':>8}{'ratio':>8}{'passed':>9}")
    for name, row in table.items():
        print(
            f"{name:24}{row['programs_per_second']:12.0f}{row['best']:8.0f}{row['ratio']:8.2f}"
            f"{row['passed']:>5}/{row['of']}"
        )
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
