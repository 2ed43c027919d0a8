"""How long a sweep of real checkpoints takes, over what its slots had to do.

    python bench/sweep.py [--checkpoints 6] [--slots 2] [--documents 2000] [--rows] [--json FILE]

Tiny checkpoints are made, and run on the transformers engine. The lower bound is what all replicas loaded and worked,
divided evenly among the slots; the makespan counts from when the cluster is there to the last run's end. With --rows
each checkpoint is run again on a single engine, and its rows are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=6)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--rows", action="store_true", help="compare all rows with those of single engines")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()

    from evalkit.config import RunConfig
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner import run
    from evalkit.runner.sweep import Sweep
    from tests.helpers.checkpoints import make_checkpoint
    from tests.helpers.fleet_rows import differences
    from tests.helpers.listening import Heard
    from tests.helpers.owntasks import sums_task

    with tempfile.TemporaryDirectory(prefix="sw", dir="/tmp") as folder:
        os.chdir(folder)
        models = [str(make_checkpoint(Path(folder) / f"step-{n}", seed=n)) for n in range(asked.checkpoints)]
        sums_task(Path(folder), asked.documents)
        flags: dict[str, Any] = {"engine": "hf", "device": "cpu", "tasks": "sums", "include_path": "."}
        config = RunConfig.build(model=",".join(models), replicas=asked.slots, **flags)
        with Progress.open() as shown:
            sweep = Sweep(config, "sweep", shown, report, None)
            outcomes = sweep.run()
        assert all(outcome.exit_code == 0 for outcome in outcomes)
        if asked.rows:
            for model, outcome in zip(models, outcomes, strict=True):
                (alone,) = run(RunConfig.build(model=model, journal="alone", **flags), Heard(), report)
                rows, problems, largest = differences(alone.path, outcome.path)
                print(f"{Path(model).name}: {rows} rows, {len(problems)} not equal, largest difference {largest:.1e}")
                for problem in problems[:5]:
                    print(f"  {problem}")
    bound = max(sum(map(sum, sweep.busy)) / asked.slots, max(map(sum, sweep.busy)))
    makespan = sweep.ended - sweep.opened
    told = {
        "makespan": makespan,
        "bound": bound,
        "ratio": makespan / bound,
        "load_and_work": sweep.busy,
        "built": sweep.materials.built,
        "tokenised": sweep.materials.tokenised,
    }
    ratio = f"{makespan / bound:.3f} x the bound"
    print(f"{asked.checkpoints} checkpoints on {asked.slots} slots: {makespan:.1f} s, {ratio}")
    print("load + work:", ", ".join(f"{load:.1f} + {worked:.1f}" for load, worked in sweep.busy))
    print(f"prompts built {sweep.materials.built} times, tokenised {sweep.materials.tokenised} times")
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
