"""How well replicas share a plan, and how well slots share a sweep: on paper, with the real dealer and slots.

    python bench/fleet_simulation.py tokens --data-dir DIR --model CHECKPOINT [--limit N]
    python bench/fleet_simulation.py sweep [--checkpoints 1000] [--tasks 100] [--slots 8,64,512]

`tokens` builds the whole of MMLU with five examples and counts the prompt tokens that 8 and 64 replicas compute,
over the floor of one perfect cache; beside it, documents dealt in turn. Of CHECKPOINT only the tokenizer is read.

`sweep` runs made-up checkpoints on a simulated clock: sizes of tasks differ as those of benchmarks do, and checkpoints
differ in speed. The lower bound is all work, with one load of each checkpoint, divided evenly among the slots.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tokens", "sweep"))
    parser.add_argument("--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror that holds cais/mmlu")
    parser.add_argument("--model", type=Path, help="a checkpoint folder; by default a tokenizer is made")
    parser.add_argument("--limit", type=int, help="documents of each subject; all by default")
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--slots", default="8,64,512")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    told = _tokens(asked) if asked.what == "tokens" else _sweeps(asked)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _tokens(asked: argparse.Namespace) -> dict[str, Any]:
    from tests.helpers.fleet_clock import tokens_interleaved, tokens_read
    from tests.helpers.fleet_plans import mmlu_plan

    plan = mmlu_plan(asked.data_dir, asked.model, asked.limit)
    told: dict[str, Any] = {"items": len(plan), "floor": plan.floor, "prompt_tokens": plan.prompt_tokens}
    print(f"{len(plan):,} contexts, {plan.prompt_tokens:,} prompt tokens, floor {plan.floor:,}")
    for replicas in (1, 8, 64):
        read, split = tokens_read(plan, replicas)
        turns = tokens_interleaved(plan, replicas)
        told[str(replicas)] = {"read": read / plan.floor, "in_turn": turns / plan.floor, "split_groups": split}
        print(
            f"{replicas:3} replicas: read / floor {read / plan.floor:.3f}, {split} groups split;"
            f" documents in turn {turns / plan.floor:.3f}"
        )
    return told


def _sweeps(asked: argparse.Namespace) -> dict[str, Any]:
    from tests.helpers.fleet_clock import heavy_tailed, plan_of, sweep, uneven

    told: dict[str, Any] = {}
    # An item stands for some hundred documents: 100 tasks of one checkpoint take about an hour, and loading a minute.
    plan = plan_of(heavy_tailed(asked.tasks, 20 * asked.tasks, seed=1))
    runs = list(uneven([plan] * asked.checkpoints, 3600 / len(plan), seed=2))
    for slots in map(int, asked.slots.split(",")):
        began = time.perf_counter()
        made = sweep(runs, slots, load=60)
        ratio = made.makespan / made.bound
        told[str(slots)] = {"makespan_hours": made.makespan / 3600, "ratio": ratio, "loads": made.loads}
        print(
            f"{asked.checkpoints} checkpoints x {asked.tasks} tasks on {slots:3} slots: {made.makespan / 3600:8.1f} h,"
            f" {ratio:.3f} x the lower bound, {made.loads} loads ({time.perf_counter() - began:.0f} s to simulate)"
        )
    worst = 0.0
    for seed in range(100):
        small = [plan_of(heavy_tailed(5, 400, seed=seed))] * 6
        made = sweep(list(uneven(small, 0.25, seed=seed)), 2, load=8)
        worst = max(worst, made.makespan / made.bound)
    told["six_on_two_worst_of_100"] = worst
    print(f"6 checkpoints on 2 slots, 100 draws: at most {worst:.3f} x the lower bound")
    return told


if __name__ == "__main__":
    main()
