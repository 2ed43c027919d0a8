"""What the tests of stopping early share."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from scipy.stats import binom

import evalkit
from evalkit.results import Run
from evalkit.runner import Outcome
from evalkit.stats import draw
from tests.helpers.runfolders import results_of

ALPHA = 0.05


def too_many(errors: int, runs: int, alpha: float = ALPHA) -> bool:
    """Whether so many errors can't be chance: one in ten thousand if each has probability `alpha`."""
    return bool(binom.sf(errors - 1, runs, alpha) < 1e-4)


NANO = Path(evalkit.__file__).parent / "_models" / "nano"


def prefix(baseline: Run, outcome: Outcome, task: str) -> list[int]:
    """The doc_ids that the recorded seed draws first, as many rounds as the run says it took."""
    said = results_of(outcome)["early_stopping"]["tasks"][task]
    found = {
        (row["doc_id"], row["stratum"], row["cluster"]) for row in baseline.scores().to_pylist() if row["task"] == task
    }
    documents = sorted(found)
    seed = json.loads((outcome.path / "manifest.json").read_text())["against"]["seed"]
    drawing = draw(
        len(documents),
        seed=[seed, zlib.crc32(task.encode())],
        strata=[f"{task}\0{stratum or ''}" for _, stratum, _ in documents],
        clusters=[cluster for *_, cluster in documents],
    )
    assert drawing.rounds == said["rounds_of"]
    return [documents[i][0] for i in drawing.drawn(said["rounds"])]
