"""Journal: answers written and found again per second, beside sqlitedict as lm-eval's `use_cache` drives it.

    python bench/journal.py [--count 500000] [--bytes 1000] [--json FILE]

Each step runs in a process of its own, so that its peak memory is its own. Keys are computed inside the timings.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from evalkit.journal import Journal, Keyer
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Generated, GenerateRequest, Sampling

KEYER = Keyer(model_fingerprint("weights", dtype="bfloat16"), "bench/1")
SAMPLING = Sampling(max_tokens=256, stop=("\n\n",))


def pairs(count: int) -> Iterator[tuple[int, bytes]]:
    prompt = list(range(200))
    for number in range(count):
        prompt[0] = number
        yield number, KEYER.key(GenerateRequest(number, array("i", prompt), SAMPLING))


def text(number: int, size: int) -> str:
    return f"{number:08d} ".ljust(size, "x")


def write(folder: Path, count: int, size: int) -> float:
    start = time.perf_counter()
    with Journal.open(folder, run="bench/r1") as journal:
        for number, key in pairs(count):
            journal.put(key, Generated(number, text(number, size), "stop", 250))
        journal.flush()
        return time.perf_counter() - start


def look_up(folder: Path, count: int, size: int) -> float:
    start = time.perf_counter()
    with Journal.open(folder, run="bench/r2") as journal:
        found = sum(1 for answer in journal.get_many(pairs(count)) if isinstance(answer, Generated))
        taken = time.perf_counter() - start
    if found != count:
        raise SystemExit(f"found {found} of {count}")
    return taken


def peer_write(folder: Path, count: int, size: int) -> float:
    from sqlitedict import SqliteDict

    start = time.perf_counter()
    with SqliteDict(str(folder / "peer.db"), autocommit=True) as cache:
        for number, key in pairs(count):
            cache[key.hex()] = text(number, size)
        cache.commit()
        return time.perf_counter() - start


def peer_look_up(folder: Path, count: int, size: int) -> float:
    from sqlitedict import SqliteDict

    start = time.perf_counter()
    with SqliteDict(str(folder / "peer.db"), autocommit=True) as cache:
        found = sum(1 for _, key in pairs(count) if len(cache[key.hex()]) == size)
    if found != count:
        raise SystemExit(f"found {found} of {count}")
    return time.perf_counter() - start


STEPS: dict[str, Callable[[Path, int, int], float]] = {
    "write": write,
    "look up": look_up,
    "peer write": peer_write,
    "peer look up": peer_look_up,
}


def alone(step: str, folder: Path, count: int, size: int) -> dict[str, float]:
    """Run one step in a fresh process; seconds, and its peak memory in MB."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--count", str(count), "--bytes", str(size)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--peer-count", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.step:
        seconds = STEPS[asked.step](asked.folder, asked.count, asked.bytes)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu": time.process_time(), "peak_mb": peak}))
        return
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        # The tenth first: what it takes in memory is what the whole may take.
        sizes = {"tenth": asked.count // 10, "whole": asked.count, "peer": asked.peer_count}
        for which, count in sizes.items():
            folder = Path(name) / which
            folder.mkdir()
            for step in ("write", "look up"):
                found = alone(f"peer {step}" if which == "peer" else step, folder, count, asked.bytes)
                figures[f"{which} {step}"] = {**found, "count": count, "per_second": count / found["seconds"]}
    print(f"{'':28}{'answers':>10}{'seconds':>10}{'CPU s':>8}{'per second':>12}{'peak MB':>10}")
    for label, figure in figures.items():
        row = label.replace("whole", "journal").replace("tenth", "journal, a tenth,").replace("peer", "sqlitedict")
        print(
            f"{row:28}{figure['count']:>10}{figure['seconds']:>10.2f}{figure['cpu']:>8.1f}{figure['per_second']:>12,.0f}",
            end="",
        )
        print(f"{figure['peak_mb']:>10.0f}")
    for step in ("write", "look up"):
        ratio = figures[f"whole {step}"]["per_second"] / figures[f"peer {step}"]["per_second"]
        print(f"{step}: {ratio:.1f} times sqlitedict")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
