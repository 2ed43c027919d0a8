"""Runs for the report, the page made of them, and the page as a browser has it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.reporting.html import as_html
from evalkit.reporting.overview import overview
from evalkit.results import Run, slug
from tests.helpers.runfolders import TaskRows, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

ATTACK = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=2'>"
KOREAN = "한국의 수도는 어디입니까?"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


def row(doc_id: int, answer: str, question: str = "", prompt: str = "", **more: Any) -> dict[str, Any]:
    asked = question or f"question {doc_id}"
    return {
        "doc_id": doc_id,
        "doc": {"question": asked},
        "target": f"target {doc_id}",
        "arguments": [[prompt or f"Q: {asked}\nA:", {"until": ["\n"]}]],
        "resps": [[answer]],
        "filtered_resps": [f"read {answer}"],
        "filter": "strict-match",
        "finish": ["stop"],
        "cut_tokens": 0,
        "unparsed": False,
        "error": None,
        **more,
    }


def choice_row(doc_id: int, scores: Sequence[float], target: int, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"which {doc_id}"},
        "target": target,
        "arguments": [[f"Which is {doc_id}?", f" {text}"] for text in texts],
        "resps": [[[score, False]] for score in scores],
        "filtered_resps": [[score, False] for score in scores],
        "filter": "none",
    }


def write_rows(folder: Path, task: str, rows: Sequence[Mapping[str, Any]]) -> None:
    (folder / "samples").mkdir(exist_ok=True)
    path = folder / "samples" / f"{slug(task)}.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")


def pair_of_runs(root: Path, n: int = 60, seed: int = 0, **more: Any) -> tuple[Path, Path]:
    """Two runs over two tasks and a group; some documents change, some are in trouble."""
    luck = np.random.default_rng(seed)
    folders = []
    subjects = ("school_art", "school_law", "school_한국사")
    base = {name: (luck.random(n) < 0.6).astype(float) for name in ("sums", *subjects)}
    for side, name in enumerate(("base", "cand")):
        values = {key: np.where(luck.random(n) < 0.2 * side, 1 - value, value) for key, value in base.items()}
        tasks = {
            key: TaskRows(value, metric="acc,none" if key in subjects else "exact_match,strict-match")
            for key, value in values.items()
        }
        tasks["sums"].flags = {3: "unparsed", 5: "unfinished"} if side else {3: "unparsed"}
        tasks["sums"].entry = {"unparsed": 1, "unfinished": side, "truncated_prompts": 0, "errors": 0}
        folder = write_run(
            root,
            name,
            tasks,
            model=f"model-{name}",
            groups={"school": subjects},
            requested=["sums", "school"],
            results={**_group(values, subjects)},
            **more,
        )
        write_rows(folder, "sums", [row(i, f"{name} wrote {i}", question=KOREAN if i == 7 else "") for i in range(n)])
        for subject in subjects:
            scores = [[-1.0, -2.0 + side, -3.0, -4.0 - i / n] for i in range(n)]
            write_rows(
                folder, subject, [choice_row(i, scores[i], i % 4, ["ant", "bee", "cat", "dog"]) for i in range(n)]
            )
        folders.append(folder)
    return folders[0], folders[1]


def _group(values: Mapping[str, np.ndarray], members: Sequence[str]) -> dict[str, Any]:
    mean = float(np.mean([values[member].mean() for member in members]))
    figure = {"value": mean, "stderr": 0.02, "ci95": [mean - 0.04, mean + 0.04], "higher_is_better": True}
    n = sum(values[member].size for member in members)
    return {"groups": {"school": {"n": n, "metrics": {"acc,none": figure}, "members": list(members)}}}


def page_of(*folders: Path, room: int = 10_000_000, **asked: Any) -> str:
    return as_html(overview([Run.open(folder) for folder in folders], **asked), room=room)


@dataclass
class Content:
    """What a page holds, read without a browser."""

    data: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, html: str) -> Content:
        data, blocks = re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', html, re.DOTALL)
        rows = []
        for block in json.loads(blocks):
            content = json.loads(zlib.decompress(base64.b64decode(block)))
            rows += [{**one, "prefix": content["prefix"]} for one in content["rows"]]
        return cls(json.loads(data), rows)

    def outcomes(self, view: int = 0) -> list[str]:
        return [self.data["documents"]["outcomes"][code] for code in self.data["documents"]["views"][view]["out"]]

    def texts(self, view: int = 0) -> list[dict[str, Any] | None]:
        return [None if place < 0 else self.rows[place] for place in self.data["documents"]["views"][view]["text"]]


def stopped_early(root: Path) -> tuple[Path, Path]:
    one = write_run(root, "a", {"t": TaskRows([1.0, 0.0] * 40)})
    own = {
        "verdict": "pass", "n": 60, "of": 80, "not_run": 20, "tier": "critical", "metric": "exact_match,strict-match",
        "higher_is_better": True, "baseline": 0.5, "candidate": 0.5, "delta": 0.0, "max_drop": 0.01, "tolerance": 0.01,
        "p": 0.5, "flips": {"lost": 0, "gained": 0}, "reasons": ["worse by at most 0.4 points"],
    }  # fmt: skip
    other = write_run(
        root,
        "b",
        {"t": TaskRows([1.0, 0.0] * 30, entry={"not_run": 20})},
        status="partial",
        manifest={"against": {"run_id": "a"}},
        results={"early_stopping": {"verdict": "pass", "tasks": {"t": own}}},
    )
    return one, other


@dataclass
class Opened:
    tab: Tab
    requests: list[str]
    troubles: list[str]

    def text(self, selector: str = "body") -> str:
        return str(self.tab.locator(selector).inner_text())

    def count_shown(self) -> int:
        self.tab.wait_for_selector(".list:not([aria-busy])")
        found = re.match(r"([\d,]+) documents?", self.text("#doc-count"))
        return int(found.group(1).replace(",", "")) if found else 0

    def chip(self, outcome: str) -> int:
        return int(self.text(f".chip[data-outcome='{outcome}'] .count").replace(",", ""))

    def every_outcome(self) -> None:
        for outcome in self.tab.locator(".chip[aria-pressed='false']").evaluate_all(
            "all => all.map(c => c.dataset.outcome)"
        ):
            self.tab.click(f".chip[data-outcome='{outcome}']")
