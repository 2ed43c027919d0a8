"""Writes the data of the `mini` benchmarks: `python -m tools.nano.make_mini`. The same seed, the same bytes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tools.nano import symbolic
from tools.nano.render import MAKERS, MINI, template
from tools.nano.split import draw, rng_for, unique

__all__ = ["SIZES", "TRAIN", "held_out", "main", "train_sample"]

SEED = 7
SIZES = {"knowledge": 400, "endings": 200, "arithmetic": 300, "symbolic": 240, "code": 160}
TRAIN = 200
"""Shipped of each train part: few-shot examples are drawn from it."""


def held_out(name: str) -> list[dict[str, Any]]:
    prompts: dict[str, dict[str, Any]] = {}
    for item in unique(MAKERS[name], rng_for("mini", SEED, name), "test"):
        prompts.setdefault(template(name).prompt(item.doc), item.doc)
        if len(prompts) == SIZES[name]:
            break
    return list(prompts.values())


def train_sample(name: str) -> list[dict[str, Any]]:
    rng = rng_for("mini", SEED, name, "train")
    docs = [item.doc for item in islice(unique(MAKERS[name], rng, "train"), TRAIN)]
    if name == "symbolic":
        # The fixed shots are the first four: one puzzle of each kind.
        docs = [*(draw(make, rng, "train").doc for make in symbolic.KINDS.values()), *docs]
    if name == "knowledge":
        # The fixed shots are the first three: were their letters alike, they would be a hint.
        shots = [next(doc for doc in docs if doc["answer"] == letter) for letter in (2, 0, 3)]
        docs = [*shots, *(doc for doc in docs if doc not in shots)]
    return docs


def _write(path: Path, docs: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(doc, ensure_ascii=False) + "\n" for doc in docs), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MINI / "data")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in MAKERS:
        _write(out / f"{name}.test.jsonl", held_out(name))
        _write(out / f"{name}.train.jsonl", train_sample(name))


if __name__ == "__main__":
    main()
