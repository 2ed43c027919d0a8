"""Leaderboard over many runs, each with the figures of a full MMLU + BBH + HellaSwag + GSM8K + HumanEval run.

    python bench/leaderboard.py [--runs 200] [--json FILE]

The other side is what there is without it: pandas, reading each run's results.json into a frame of group figures.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {"mmlu": 61, "bbh": 27, "hellaswag": 0, "gsm8k": 0, "humaneval": 0}
OURS = """
import sys
from evalkit.ranking import leaderboard
from evalkit.reporting.leaderboard_view import as_csv, as_html, as_json, as_markdown
from evalkit.results import all_runs
board = leaderboard(all_runs(sys.argv[1]).runs)
outputs = [as_csv(board), as_html(board), as_json(board), as_markdown(board)]
print(len(board.lines))
"""
PANDAS = """
import json, sys
from pathlib import Path
import pandas as pd
rows = []
for path in Path(sys.argv[1]).glob("*/*/results.json"):
    content = json.loads(path.read_text())
    rows.append({name: content["tasks"].get(name, content["groups"].get(name))["metrics"]["acc,none"]["value"]
                 for name in content["requested"]})
frame = pd.DataFrame(rows)
frame["mean"] = frame.mean(axis=1)
frame.sort_values("mean").to_csv(Path(sys.argv[1]) / "frame.csv")
print(len(frame))
"""


def make(root: Path, runs: int) -> None:
    chance = random.Random(0)
    for number in range(runs):
        folder = root / f"model-{number}" / "run"
        folder.mkdir(parents=True)
        skill = chance.uniform(0.2, 0.9)
        tasks, groups = {}, {}
        for name, members in GROUPS.items():
            if not members:
                tasks[name] = entry(skill)
                continue
            leaves = {f"{name}_{i}": entry(skill) for i in range(members)}
            tasks |= leaves
            groups[name] = {**entry(skill), "members": list(leaves)}
        results = {"status": "complete", "requested": list(GROUPS), "tasks": tasks, "groups": groups}
        (folder / "results.json").write_text(json.dumps(results, indent=1))
        manifest = {
            "created": "2026-01-01T00:00:00Z",
            "finished": "2026-01-01T01:00:00Z",
            "model": {"typed": f"model-{number}", "parameters": 7_000_000_000},
            "tasks": {name: {"prompts_hash": "0" * 64, "data_hash": "0" * 64} for name in tasks},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


def entry(value: float) -> dict[str, object]:
    figure = {"value": value, "stderr": 0.004, "ci95": [value - 0.008, value + 0.008], "higher_is_better": True}
    return {"version": 1.0, "num_fewshot": 5, "n": 100, "chance": 0.25, "metrics": {"acc,none": figure}}


def timed(program: str, root: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program, str(root)], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), asked.runs)
        # In turns, so that a busy moment of the machine meets both; each with its own start-up.
        turns = [(timed(OURS, Path(name)), timed(PANDAS, Path(name))) for _ in range(asked.repeats)]
    ours, pandas = (min(side) for side in zip(*turns, strict=True))
    print(f"{asked.runs} runs, four outputs     {ours:6.2f} s")
    print(f"pandas, means alone          {pandas:6.2f} s")
    print(f"ratio                        {ours / pandas:6.2f}")
    if asked.json:
        figures = {"runs": asked.runs, "seconds": ours, "pandas_seconds": pandas, "ratio": ours / pandas}
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
