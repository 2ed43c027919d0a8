"""How long it takes to build MMLU's 5-shot requests: evalkit against lm-eval, subject by subject, requests compared.

python bench/building.py --data-dir DIR [--subjects N] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror that holds cais/mmlu")
    parser.add_argument("--subjects", type=int, help="only the first N of the 57")
    parser.add_argument("--num-fewshot", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()

    from evalkit.registry import Registry

    registry = Registry(data_dir=asked.data_dir)
    start = time.perf_counter()
    # lm-eval fills its task objects in place, so each side gets its own.
    ours = registry.load(["mmlu"], num_fewshot=asked.num_fewshot).tasks
    load = time.perf_counter() - start
    theirs = registry.load(["mmlu"], num_fewshot=asked.num_fewshot).tasks
    names = list(ours)[: asked.subjects]

    seconds = {"lm-eval": 0.0, "evalkit": 0.0}
    documents = requests = differences = 0
    for turn, name in enumerate(names):
        built: dict[str, list[tuple[str, str]]] = {}
        for side in ("lm-eval", "evalkit") if turn % 2 else ("evalkit", "lm-eval"):
            started = time.perf_counter()
            if side == "evalkit":
                made = ours[name].build()
            else:
                task = theirs[name]._task
                with contextlib.redirect_stderr(io.StringIO()):
                    task.build_all_requests()
            seconds[side] += time.perf_counter() - started
            if side == "evalkit":
                built[side] = [(str(q.context), q.continuation) for document in made for q in document.requests]
                documents += len(made)
            else:
                built[side] = [instance.args for instance in task.instances]
                task._instances = None
        requests += len(built["lm-eval"])
        differences += built["lm-eval"] != built["evalkit"]
        print(f"\r{turn + 1}/{len(names)} subjects, {documents} documents", end="", flush=True)

    ratio = seconds["lm-eval"] / seconds["evalkit"]
    print(f"\n\n{'':10}{'seconds':>10}{'documents/s':>14}")
    for side, taken in seconds.items():
        print(f"{side:10}{taken:10.2f}{documents / taken:14.0f}")
    print(f"\nratio {ratio:.1f}; {requests} requests of {documents} documents, subjects that differ: {differences}")
    print(f"loading the 57 data sets and tasks (evalkit): {load:.2f} s")
    if asked.json:
        result: dict[str, Any] = {
            "seconds": seconds,
            "ratio": ratio,
            "documents": documents,
            "requests": requests,
            "subjects_that_differ": differences,
            "load_seconds": load,
        }
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(1 if differences else 0)


if __name__ == "__main__":
    main()
