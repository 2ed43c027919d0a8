"""Six benchmarks on two replicas of the real vLLM on a CPU: their rows against a single engine's.

    python bench/fleet_vllm.py --data-dir DIR [--engine vllm] [--limit 20]

It ends with exit 1 where a row differs. What happens when such a replica is killed is a test
(tests/engines/ray/test_vllm_ends.py).
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
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror of the hub")
    parser.add_argument("--engine", default="vllm")
    parser.add_argument("--limit", type=int, default=20)
    asked = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")

    from evalkit.engines.ray.engine import FleetEngine
    from tests.helpers.checkpoints import make_checkpoint
    from tests.helpers.fleet_rows import SIX, TOLERANCE, differences, evaluate, journal_keys
    from tests.helpers.fleets import wait_for_all

    wait = FleetEngine.wait

    def wait_for_both(fleet: FleetEngine) -> FleetEngine:
        wait(fleet)
        wait_for_all(fleet)
        return fleet

    FleetEngine.wait = wait_for_both  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix="ekv", dir="/tmp") as folder:
        out, model = Path(folder) / "out", make_checkpoint(Path(folder) / "tiny")
        settings: dict[str, Any] = {"engine": asked.engine, "limit": asked.limit}
        if asked.engine == "vllm":
            settings["model_args"] = {"dtype": "float32", "max_model_len": 2048, "enforce_eager": True}
        alone = evaluate(model, asked.data_dir, out, "alone", **settings)
        together = evaluate(model, asked.data_dir, out, "together", replicas=2, **settings)
        rows, problems, largest = differences(alone.path, together.path)
        keys = journal_keys(out / "together"), journal_keys(out / "alone")
        replicas = json.loads((together.path / "manifest.json").read_text())["replicas"]
    print(f"{', '.join(SIX)}: {rows} rows, {len(problems)} not equal, largest difference {largest:.1e}")
    distinct, same = len(set(keys[0])) == len(keys[0]), sorted(keys[0]) == sorted(keys[1])
    print(f"{len(keys[0])} journal keys, all distinct: {distinct}, those of the single engine: {same}")
    print(replicas)
    for problem in problems[:10]:
        print(problem)
    raise SystemExit(1 if problems or largest > TOLERANCE else 0)


if __name__ == "__main__":
    main()
