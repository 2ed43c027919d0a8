"""Every row and figure of whole benchmarks beside lm-eval's `simple_evaluate`, for the same answers.

    python bench/parity_rows.py [--data-dir ../shared/hub] [kobest bbq crows_pairs_english …]

The answers are made up from a hash of the request, so that both sides get the same ones at no cost. Standard errors are
left out: lm-eval draws 100,000 resamples for each figure of all documents together. The tests compare samples of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.helpers.oracle import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-dir", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "hub")
    parser.add_argument("tasks", nargs="*", default=["kobest", "bbq", "crows_pairs_english"])
    asked = parser.parse_args()
    for name in asked.tasks:
        start = time.perf_counter()
        ran = compare(asked.data_dir, [name], None, stderrs=False)
        rows = sum(map(len, ran.rows.values()))
        print(f"{name}: {rows:,} rows of {len(ran.rows)} tasks equal ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
