"""How long a sweep of real checkpoints takes, over what its slots had to do.

    python bench/sweep.py [--checkpoints 6] [--slots 2] [--documents 2000] [--json FILE]

Tiny checkpoints are made, and run on the transformers engine. The lower bound is what all replicas loaded and worked,
divided evenly among the slots; the makespan counts from when the cluster is there to the last run's end.
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

TASK = """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: ["yes", "no"]
doc_to_target: 0
metric_list: [{metric: acc}]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=6)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()

    from evalkit.config import RunConfig
    from evalkit.reporting.progress import Progress
    from evalkit.reporting.run_view import report
    from evalkit.runner.sweep import Sweep
    from tests.helpers.checkpoints import make_checkpoint

    with tempfile.TemporaryDirectory(prefix="sw", dir="/tmp") as folder:
        os.chdir(folder)
        models = [str(make_checkpoint(Path(folder) / f"step-{n}", seed=n)) for n in range(asked.checkpoints)]
        Path("sums.yaml").write_text(TASK, encoding="utf-8")
        lines = [json.dumps({"q": f"Is {n} + {n} = {2 * n}? " * 20}) for n in range(asked.documents)]
        Path("sums.jsonl").write_text("\n".join(lines), encoding="utf-8")
        flags: dict[str, Any] = {"engine": "hf", "device": "cpu", "replicas": asked.slots}
        config = RunConfig.build(model=",".join(models), tasks="sums", include_path=".", **flags)
        with Progress.open() as shown:
            sweep = Sweep(config, "sweep", shown, report, None)
            outcomes = sweep.run()
    assert all(outcome.exit_code == 0 for outcome in outcomes)
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
