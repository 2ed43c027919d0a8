"""Resume: a run that is killed again and again against one that is left alone, counted at the engine.

    python bench/resume.py [--engine hf|vllm] [--kills 20] [--seed 0] [--json FILE]

Each kill is a SIGKILL at a random moment after the first answer that is new on the disk; then the same command is
typed again. Exits with 1 where an acknowledged answer was lost, changed or asked for again, or the results differ.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evalkit.results import Run, all_runs
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.resuming import ENV, ROOT, asked, same

LONGEST = {"hf": 0.3, "vllm": 1.0}
"""Seconds between a new answer and the kill, at most: within the time that the rest takes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=LONGEST, default="hf")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=100, help="documents of each of three tasks")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = measure(folder, given.engine, given.kills, given.seed, given.limit)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    raise SystemExit(0 if held(figures) else 1)


def measure(folder: Path, engine: str, kills: int, seed: int, limit: int) -> dict[str, Any]:
    model = make_checkpoint(folder / "model")
    calm, calm_seconds = left_alone(asked(model, folder / "calm", engine, limit), folder / "calm")
    argv = asked(model, folder / "killed", engine, limit)
    attempts, seconds = killed(argv, folder / "report.json", kills, seed, LONGEST[engine])
    return {
        "engine": engine,
        "kills": sum(attempt["exit"] == -signal.SIGKILL for attempt in attempts),
        "last_exit": attempts[-1]["exit"],
        "sent": sum(attempt["sent"] for attempt in attempts),
        "sent_again": sum(attempt["sent_again"] for attempt in attempts),
        "changed": sum(attempt["changed"] for attempt in attempts),
        "difference": difference(only_run(folder / "killed"), calm),
        "seconds": {"left alone": calm_seconds, "killed": seconds},
        "attempts": attempts,
    }


def left_alone(argv: Sequence[str], out: Path) -> tuple[Run, float]:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "evalkit", *argv], env=ENV, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return only_run(out), time.monotonic() - began


def killed(
    argv: Sequence[str], report: Path, kills: int, seed: int, longest: float
) -> tuple[list[dict[str, Any]], float]:
    options = ["--kills", str(kills), "--seed", str(seed), "--longest", str(longest), "--out", str(report)]
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.killing", *options, "--", *argv], env=ENV, cwd=ROOT, check=True
    )
    return json.loads(report.read_text()), time.monotonic() - began


def only_run(out: Path) -> Run:
    (run,) = all_runs(out).runs
    return run


def difference(one: Run, other: Run) -> str | None:
    """The first thing in which they differ; log-probabilities may by 1e-4, as batches do."""
    try:
        same(one, other)
    except AssertionError as error:
        return str(error).strip().splitlines()[0] if str(error).strip() else "a row differs"
    return None


def show(figures: dict[str, Any]) -> None:
    print(f"{'attempt':>7}{'ended by':>12}{'kept before':>13}{'sent':>7}{'sent again':>12}{'changed':>9}")
    for number, attempt in enumerate(figures["attempts"], 1):
        ended = "SIGKILL" if attempt["exit"] == -signal.SIGKILL else f"exit {attempt['exit']}"
        print(f"{number:>7}{ended:>12}{attempt['kept_before']:>13}", end="")
        print(f"{attempt['sent']:>7}{attempt['sent_again']:>12}{attempt['changed']:>9}")
    print(
        f"\n{figures['engine']}: {figures['kills']} kills; of the kept answers {figures['sent_again']} were sent again"
    )
    print(f"and {figures['changed']} changed; equal to a run left alone: {figures['difference'] or 'yes'}")
    alone, broken = figures["seconds"]["left alone"], figures["seconds"]["killed"]
    print(f"left alone {alone:.0f} s, killed and resumed {broken:.0f} s: {broken / alone:.1f} times")


def held(figures: dict[str, Any]) -> bool:
    lost = figures["sent_again"] + figures["changed"]
    return figures["last_exit"] == 0 and lost == 0 and figures["difference"] is None


if __name__ == "__main__":
    main()
