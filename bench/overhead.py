"""What a run costs outside the engine: full MMLU 5-shot with an engine that answers at once.

    python bench/overhead.py --data-dir DIR --model CHECKPOINT [--limit N] [--replicas N] [--json FILE]

Processor seconds of the whole process, of which those for loading the data are told apart (the same load, alone, in a
process of its own); the rest is importing, building requests, tokenising, planning, bookkeeping, the journal, scoring
and writing. And the most memory that the process held. No model is loaded: of CHECKPOINT only the tokenizer is read.

With --replicas the same run is made again through so many replicas on Ray, and what evalkit's own process needs beyond
the first run is told for each answer, with and without starting Ray.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LOAD = (
    "import time, sys; from evalkit.registry import Registry; start = time.process_time();"
    "suite = Registry(data_dir=sys.argv[1]).load(['mmlu'], num_fewshot=5);"
    "print(time.process_time() - start)"
)

# The command line does not offer the engine of the tests: an entry point of the benchmark's own makes it known.
DECLARED = {
    "METADATA": "Metadata-Version: 2.1\nName: bench-mock\nVersion: 0\n",
    "entry_points.txt": "[evalkit.engines]\nmock = evalkit.engines.mock:SPEC\n",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror that holds cais/mmlu")
    parser.add_argument("--model", required=True, help="a checkpoint folder")
    parser.add_argument("--limit", type=int, help="documents of each subject; all by default")
    parser.add_argument("--replicas", type=int, help="measure what replicas on Ray cost the process that deals")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()

    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    loading = subprocess.run(
        [sys.executable, "-c", LOAD, str(asked.data_dir)], env=environment, capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        declared = Path(folder) / "plugin" / "bench_mock-0.dist-info"
        declared.mkdir(parents=True)
        for name, text in DECLARED.items():
            (declared / name).write_text(text, encoding="utf-8")
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(declared.parent)])
        command = [sys.executable, "-m", "evalkit", "run", "--engine", "mock", "--model", asked.model]
        command += ["--tasks", "mmlu", "--num-fewshot", "5", "--data-dir", str(asked.data_dir)]
        command += ["--output-path", f"{folder}/results", "--name", "overhead"]
        if asked.limit:
            command += ["--limit", str(asked.limit)]
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"evalkit run ended with {os.waitstatus_to_exitcode(status)}")
        (written,) = Path(folder).rglob("results.json")
        results = json.loads(written.read_text(encoding="utf-8"))
        if asked.replicas:
            _tell_replicas(asked, command, environment, results)
    _tell(asked, results, usage, seconds, float(loading.stdout.split()[-1]))


DRIVER = """
import atexit, json, sys, time
atexit.register(lambda: print(json.dumps({"cpu": time.process_time(), "ray": begun}), file=sys.stderr))
begun = 0.0
from evalkit.engines.ray import cluster
connect = cluster._connect
def timed(options):
    global begun
    start = time.process_time()
    ray = connect(options)
    begun = time.process_time() - start
    return ray
cluster._connect = timed
from evalkit.__main__ import main
sys.argv = ["evalkit", *sys.argv[1:]]
main()
"""


def _tell_replicas(
    asked: argparse.Namespace, command: list[str], environment: dict[str, str], results: dict[str, object]
) -> None:
    """The processor time of evalkit's own process, alone and with replicas; that of its children is left out."""

    def measure(name: str, *more: str) -> tuple[float, float]:
        again = [sys.executable, "-c", DRIVER, *command[3:], "--fresh", "-q", *more]
        again[again.index("--name") + 1] = name
        ran = subprocess.run(again, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ran.returncode:
            raise SystemExit(f"evalkit run {' '.join(more)} ended with {ran.returncode}: {ran.stderr[-500:]}")
        told = json.loads(ran.stderr.splitlines()[-1])
        return told["cpu"], told["ray"]

    alone, _ = measure("alone")
    together, ray = measure("together", "--replicas", str(asked.replicas))
    groups = results["groups"]
    assert isinstance(groups, dict)
    answers = 4 * groups["mmlu"]["n"]
    print(f"{answers:,} answers: {alone:.1f} s in one process, {together:.1f} s with {asked.replicas} replicas,")
    print(
        f"of which {ray:.1f} s to start Ray: {(together - alone) / answers * 1e6:.0f} us more an answer,"
        f" {(together - alone - ray) / answers * 1e6:.0f} us without the start"
    )


def _tell(
    asked: argparse.Namespace, results: dict[str, object], usage: resource.struct_rusage, wall: float, loading: float
) -> None:
    cpu = usage.ru_utime + usage.ru_stime
    groups = results["groups"]
    assert isinstance(groups, dict)
    told = {
        "documents": groups["mmlu"]["n"],
        "cpu_seconds": cpu,
        "of_which_loading_data": loading,
        "outside_engine_and_loading": cpu - loading,
        "wall_seconds": wall,
        "peak_memory_gib": usage.ru_maxrss / 2**20,
        "timing": results["timing"],
    }
    print(f"{told['documents']:,} documents: {cpu:.1f} s of processor time, {loading:.1f} s of it for loading the data")
    print(f"everything else: {cpu - loading:.1f} s; most memory held: {told['peak_memory_gib']:.2f} GiB")
    print(f"by the clock, as the run tells it: {results['timing']}")
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
