"""What several files of tests on judging share: runs to judge, recorded judgments, the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.reporting.run_view import report
from evalkit.results import Run, RunWriter
from evalkit.types import Row
from tests.helpers import warm
from tests.helpers.loopback import score_of
from tests.helpers.runfolders import commit, results_of

ROOT = Path(__file__).resolve().parents[2]
CANARY = "sk-canary-0123456789-abcdef"
RUBRIC = """
id: one
dimensions:
  quality: {criteria: Is it good, scale: '1:5'}
"""


def recorded() -> Path:
    """Recorded judgments beside the checkout, or where EVALKIT_JUDGING_DIR says."""
    folder = Path(os.environ.get("EVALKIT_JUDGING_DIR", ROOT.parent / "shared" / "judging"))
    if not folder.is_dir():
        pytest.skip(f"no recorded judgments: {folder} is not a folder; set EVALKIT_JUDGING_DIR to one")
    return folder


def evalkit(*args: str, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = warm.run(*args, cwd=cwd or ROOT)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def make_run(
    root: Path,
    count: int,
    run_id: str = "r1",
    wording: str | Callable[[int], str] = "Answer to item-{}.",
    model: str = "nano",
) -> Run:
    """A finished run of the task `chat` with these answers."""

    def row(i: int) -> Row:
        text = wording.format(i) if isinstance(wording, str) else wording(i)
        sample = {
            "doc_id": i,
            "doc": {"instruction": f"Do item-{i}."},
            "target": "",
            "arguments": [[f"Do item-{i}.", {"until": []}]],
            "resps": [[text]],
            "filtered_resps": [text],
            "filter": "none",
            "doc_hash": f"h{i}",
            "prompt_hash": f"p{i}",
        }
        return Row("chat", i, f"h{i}", f"p{i}", "none", sample, {"x": 1.0}, cluster=f"c{i // 2}")

    metrics = {"x,none": {"value": 1.0, "stderr": 0.0, "ci95": [1.0, 1.0], "higher_is_better": True}}
    task = {"version": 1.0, "num_fewshot": 0, "n": count, "missing": 0, "metrics": metrics}
    moment = "2026-01-01T00:00:00Z"
    manifest = {"created": moment, "finished": moment, "model": {"typed": model}, "tasks": {"chat": {}}}
    results = {"model": model, "requested": ["chat"], "status": "complete", "tasks": {"chat": task}, "groups": {}}
    with RunWriter(root, model, run_id) as writer:
        writer.rows("chat", (row(i) for i in range(count)))
        return commit(writer, manifest, results, report)


def judge(
    root: Path, *args: str, verb: str = "run", code: int | None = 0, run: str = "r1"
) -> subprocess.CompletedProcess[str]:
    rubric = root / "one.yaml"
    if not rubric.exists():
        rubric.write_text(RUBRIC)
    command = ["judge", verb, run, "--output-path", str(root), "-q", *args]
    if "--rubric" not in args:
        command += ["--rubric", str(rubric)]
    done = warm.run(*command, env=environment(), cwd=root)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": CANARY}


def figure(root: Path, metric: str = "quality,one") -> dict[str, Any]:
    return of_judge(results_of(Run.open(root / "nano" / "r1"))["tasks"]["chat"]["metrics"], metric)


def figure_by(root: Path, judge: str, metric: str = "quality,one") -> dict[str, Any]:
    """The figure of the only judge whose name begins so, where a run has several."""
    metrics = results_of(Run.open(root / "nano" / "r1"))["tasks"]["chat"]["metrics"]
    (key,) = [key for key in metrics if key.startswith(f"{metric}@{judge}")]
    found: dict[str, Any] = metrics[key]
    return found


def of_judge(metrics: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """The figure of this name, where the addresses of judges are left out; or of the only judge with this rubric."""
    short = {key: re.sub(r"@http[^+]*", "", key) for key in metrics}
    (key,) = [key for key in metrics if short[key] == metric] or [k for k in metrics if k.startswith(f"{metric}@")]
    found: dict[str, Any] = metrics[key]
    return found


def expected(items: Sequence[int]) -> float:
    """The mean that the loopback server's distributions have."""

    def one(i: int) -> float:
        score = score_of(i)
        return 0.8 * score + 0.1 * max(1, score - 1) + 0.1 * min(5, score + 1)

    return sum(map(one, items)) / len(items)
