"""The gate at full size, and how often it errs and finds, by simulation.

    python bench/gate.py [--json FILE] [--pairs 10000]

First table: one fresh process, imports included, over MMLU + HellaSwag + GSM8K + BBH + HumanEval (32,078 pairs read
from scores.parquet). Second: verdicts on simulated runs, beside an unpaired z test (what lm-eval's model comparator
does) and a fixed rule of 8 points.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.stats import Design, bounded_difference, decision_probability, mover_limits

MMLU, BBH = 57, 27
SIZES = {"hellaswag": 10_042, "gsm8k": 1_319, "humaneval": 164}
METRICS = {"hellaswag": "acc_norm,none", "gsm8k": "exact_match,strict-match", "humaneval": "pass@1,create_test"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=10_000, help="simulated pairs of runs for each line")
    options = parser.parse_args()
    found = {"full_size": full_size(), "errors": errors(options.pairs), "power": power(options.pairs)}
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


# ── full size ────────────────────────────────────────────────────────────────


def full_size(rounds: int = 5) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, seed in (("base", 1), ("tuned", 2)):
            write(root, name, seed)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = sorted(once(root) for _ in range(rounds))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / rounds
    pairs = sum(SIZES.values()) + 14_042 + 6_511
    middle = seconds[rounds // 2]
    print(f"gate, full size: {pairs:,} pairs, limit 5 s")
    print(f"wall {middle:.2f} s (median of {rounds}, best {seconds[0]:.2f} s), processor {cpu:.2f} s\n")
    return {"pairs": pairs, "median_s": middle, "best_s": seconds[0], "cpu_s": cpu, "limit_s": 5.0}


def once(root: Path) -> float:
    if importlib.util.find_spec("evalkit.cli.gate"):
        command = [sys.executable, "-m", "evalkit", "gate", "base", "tuned", "--output-path", str(root)]
    else:
        code = (
            "import sys; from evalkit.gating import gate; from evalkit.reporting import gate_view as report;"
            "from evalkit.results import find; r = gate(find('base', sys.argv[1]), find('tuned', sys.argv[1]));"
            "report.show(r); sys.exit(r.exit_code)"
        )
        command = [sys.executable, "-c", code, str(root)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr)
    return seconds


def write(root: Path, name: str, seed: int) -> None:
    """A run of all five benchmarks, every filter and metric of them, as a run leaves it."""
    truth, mine = np.random.default_rng(0), np.random.default_rng(seed)
    columns: dict[str, list[object]] = {key: [] for key in TYPES}
    tasks: dict[str, dict[str, object]] = {}
    sizes = {f"mmlu_{i}": 246 + (i < 20) for i in range(MMLU)} | {f"bbh_{i}": 241 + (i < 4) for i in range(BBH)} | SIZES
    for task, n in sizes.items():
        metric = METRICS.get(task, "acc,none" if task.startswith("mmlu") else "exact_match,get-answer")
        base = truth.random(n) < 0.55
        values = np.where(mine.random(n) < 0.04, ~base, base).astype(float)
        base_metric, _, filter_name = metric.partition(",")
        columns["task"] += [task] * n
        columns["doc_id"] += range(n)
        columns["doc_hash"] += [f"{task}-{i:064d}" for i in range(n)]
        columns["prompt_hash"] += [f"prompt-{task}-{i:050d}" for i in range(n)]
        columns["filter"] += [filter_name] * n
        columns["stratum"] += [task if task.startswith(("mmlu", "bbh")) else None] * n
        columns["cluster"] += [f"source-{i // 3}" if task == "hellaswag" else None for i in range(n)]
        columns["metric"] += [base_metric] * n
        columns["value"] += list(values)
        columns["flags"] += ["unparsed" if u < 0.01 else "" for u in mine.random(n)]
        tasks[task] = {"version": 1.0, "n": n, "missing": 0, "metrics": {metric: {"value": float(values.mean())}}}
    folder = root / "model" / name
    folder.mkdir(parents=True)
    pq.write_table(pa.table({k: pa.array(v, TYPES[k]) for k, v in columns.items()}), folder / "scores.parquet")
    groups = {}
    for group, metric in (("mmlu", "acc,none"), ("bbh", "exact_match,get-answer")):
        members = [task for task in tasks if task.startswith(group)]
        mean = np.mean([v for t, v in zip(columns["task"], columns["value"], strict=True) if str(t).startswith(group)])
        groups[group] = {"members": members, "metrics": {metric: {"value": float(mean)}}}
    requested = ["mmlu", "hellaswag", "gsm8k", "bbh", "humaneval"]
    results = {
        "schema": 1,
        "run_id": name,
        "requested": requested,
        "status": "complete",
        "tasks": tasks,
        "groups": groups,
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "run_id": name, "model": {"typed": "model"}}))


TYPES = {
    "task": pa.string(), "doc_id": pa.int64(), "doc_hash": pa.string(), "prompt_hash": pa.string(),
    "filter": pa.string(), "stratum": pa.string(), "cluster": pa.string(), "metric": pa.string(), "value": pa.float64(),
    "flags": pa.string(),
}  # fmt: skip


# ── simulations ──────────────────────────────────────────────────────────────


def errors(pairs: int) -> list[dict[str, object]]:
    """How often a verdict is wrong: nominal 5%."""
    print(f"wrong verdicts in {pairs:,} simulated pairs, one-sided 95% (nominal 5.0%)")
    print(f"{'documents':>22} {'discordant':>10} {'true drop':>9} {'tolerated':>9} {'REGRESSION':>10} {'PASS':>6}")
    lines: list[dict[str, object]] = []
    for n in (50, 164, 500, 1_319, 14_042):
        for discordance in (0.02, 0.05, 0.1, 0.2):
            for drop, tolerance in ((0.0, 0.0), (0.01, 0.01)):
                rng = np.random.default_rng(n)
                shares = [(discordance + drop) / 2, (discordance - drop) / 2, 1 - discordance]
                drawn = rng.multinomial(n, shares, pairs)
                low, high = mover_limits(drawn[:, 0], drawn[:, 1], n, 0.05)
                failed, passed = np.mean(high < -tolerance), np.mean(low > -tolerance)
                lines.append(line(f"{n:,}", discordance, drop, tolerance, failed, passed))
    for clusters, size, icc in ((20, 10, 0.3), (50, 30, 0.1), (100, 10, 0.3), (500, 4, 0.5)):
        for drop, tolerance in ((0.0, 0.0), (0.01, 0.01)):
            failed, passed = clustered(clusters, size, icc, drop, tolerance, pairs)
            lines.append(line(f"{clusters} × {size}, icc {icc}", 0.12, drop, tolerance, failed, passed))
    print()
    return lines


def line(
    what: str, discordance: float, drop: float, tolerance: float, failed: float, passed: float
) -> dict[str, object]:
    print(f"{what:>22} {discordance:>10.0%} {drop:>9.0%} {tolerance:>9.0%} {failed:>10.2%} {passed:>6.2%}")
    return {
        "documents": what, "discordance": discordance, "drop": drop, "tolerance": tolerance,
        "regression": float(failed), "pass": float(passed),
    }  # fmt: skip


def clustered(clusters: int, size: int, icc: float, drop: float, tolerance: float, pairs: int) -> tuple[float, float]:
    rng = np.random.default_rng(clusters)
    plan = Design(clusters * size, clusters=np.repeat(np.arange(clusters), size))
    shares = np.array([0.06 + drop / 2, 0.06 - drop / 2, 0.88]) * (1 - icc) / icc
    failed = passed = 0
    for _ in range(pairs):
        rates = rng.dirichlet(shares, clusters)
        u = rng.random((clusters, size))
        d = np.where(u < rates[:, :1], -1.0, np.where(u < rates[:, :1] + rates[:, 1:2], 1.0, 0.0)).ravel()
        found = bounded_difference(d, design=plan)
        failed += found.upper(0.95) < -tolerance
        passed += found.lower(0.95) > -tolerance
    return failed / pairs, passed / pairs


def power(pairs: int) -> list[dict[str, object]]:
    """What is found of a true drop, tolerance 1 point, baseline 60% right."""
    print(f"found of a true drop, {pairs:,} simulated pairs, max_drop 0.01")
    head = ("documents", "discordant", "drop", "predicted", "evalkit", "unpaired z", "fixed 8 pt", "ratio")
    print(" ".join(f"{name:>10}" for name in head))
    lines: list[dict[str, object]] = []
    for n, discordance, drop in (
        (1_319, 0.1, 0.05),
        (1_319, 0.1, 0.03),
        (1_319, 0.05, 0.03),
        (164, 0.2, 0.1),
        (14_042, 0.1, 0.015),
        (541, 0.1, 0.05),
    ):
        lost, gained = (discordance + drop) / 2, (discordance - drop) / 2
        drawn = np.random.default_rng(n).multinomial(n, [lost, gained, 0.6 - lost, 0.4 - gained], pairs)
        _, high = mover_limits(drawn[:, 0], drawn[:, 1], n, 0.05)
        ours = float(np.mean(high < -0.01))
        before, after = (drawn[:, 0] + drawn[:, 2]) / n, (drawn[:, 1] + drawn[:, 2]) / n
        spread = np.sqrt((before * (1 - before) + after * (1 - after)) / (n - 1))
        unpaired = float(np.mean((after - before + 0.01) / spread < -1.6449))
        fixed = float(np.mean(after - before < -0.08))
        predicted = decision_probability(n, lost, gained, tolerance=0.01)
        ratio = ours / unpaired if unpaired else math.inf
        cells = [f"{share:.1%}" for share in (discordance, drop, predicted, ours, unpaired, fixed)]
        print(" ".join(f"{cell:>10}" for cell in (f"{n:,}", *cells, f"{ratio:.1f}×")))
        lines.append({
            "n": n, "discordance": discordance, "drop": drop, "predicted": predicted, "evalkit": ours,
            "unpaired_z": unpaired, "fixed_8_points": fixed,
        })  # fmt: skip
    return lines


if __name__ == "__main__":
    main()
