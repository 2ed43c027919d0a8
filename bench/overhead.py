"""What a run costs outside the engine: full MMLU 5-shot with an engine that answers at once.

    python bench/overhead.py --data-dir DIR --model CHECKPOINT [--limit N] [--json FILE]

Processor seconds of the whole process, of which those for loading the data are told apart (the same load, alone, in a
process of its own); the rest is importing, building requests, tokenising, planning, bookkeeping, the journal, scoring
and writing. And the most memory that the process held. No model is loaded: of CHECKPOINT only the tokenizer is read.
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
    _tell(asked, results, usage, seconds, float(loading.stdout.split()[-1]))


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
