"""The report's page over five full benchmarks and two runs: how long it takes to write, to open and to filter.

    python bench/report.py --data-dir DIR [--runs FOLDER] [--json FILE]

The runs are made once (and kept with --runs): real documents and prompts of MMLU, HellaSwag, GSM8K, BBH and HumanEval,
answers drawn at random around the targets, scored by `evalkit score`. The page is opened in a headless Chromium
without a network. The other side is what is there without it: the same documents, questions and answers as one plain
HTML table.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TASKS = ("mmlu", "hellaswag", "gsm8k", "bbh", "humaneval")
MODELS = {"before": 0.0, "after": 0.05}
"""How many documents fall out otherwise than for the first."""

TYPED = """async ([id, value, event]) => {
  const node = document.getElementById(id);
  const list = document.querySelector('.list');
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const before = performance.now();
  node.value = value;
  node.dispatchEvent(new Event(event));
  let first = null;
  do {
    await frame();
    if (list.querySelector('.item') || !list.ariaBusy) first ??= performance.now() - before;
  } while (list.ariaBusy);
  await frame();
  return [first, performance.now() - before];
}"""

PAINTED = "() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))"
EVERY_OUTCOME = "document.querySelectorAll('.chip').forEach((chip) => chip.ariaPressed === 'false' && chip.click())"
SCROLLED = """async () => {
  const list = document.querySelector('.list');
  let worst = 0;
  for (let i = 1; i <= 60; i++) {
    const before = performance.now();
    list.scrollTop = (list.scrollHeight * i) / 60;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    worst = Math.max(worst, performance.now() - before);
  }
  return worst;
}"""
STEPS = {
    "first search, unpacking included": ("doc-search", "because", "input"),
    "search": ("doc-search", "therefore", "input"),
    "search, many found": ("doc-search", "the", "input"),
    "search, none found": ("doc-search", "바나나 우유", "input"),
    "no search": ("doc-search", "", "input"),
    "only troubled": ("doc-trouble", "31", "change"),
    "with or without trouble": ("doc-trouble", "0", "change"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("EVALKIT_DATA_DIR"), help="a mirror of the benchmarks")
    parser.add_argument(
        "--runs", type=Path, metavar="FOLDER", help="keep the two runs here, or use those that are there"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="keep the page here")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.runs or Path(name)
        for model, changed in MODELS.items():
            if not (folder / model / "full" / "manifest.json").is_file():
                make_run(folder, model, changed, asked.data_dir)
        page = asked.html or Path(name) / "report.html"
        found = {"build": build(folder, page)}
        plain = Path(name) / "plain.html"
        plain_table(folder, plain)
        found |= browse(page, plain)
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


# ── the runs ─────────────────────────────────────────────────────────────────


def make_run(folder: Path, model: str, changed: float, data_dir: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    answers = folder / f"{model}.jsonl"
    with answers.open("w", encoding="utf-8") as file:
        for row in recorded(changed, data_dir):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    command = [sys.executable, "-m", "evalkit", "score", str(answers), "--model", model, "--name", "full", "-q"]
    command += [
        "--tasks",
        ",".join(TASKS),
        "--output-path",
        str(folder),
        *(["--data-dir", data_dir] if data_dir else []),
    ]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    answers.unlink()


def recorded(changed: float, data_dir: str | None) -> Iterator[dict[str, Any]]:
    from evalkit.registry import Registry

    for name in TASKS:
        for leaf, task in Registry(data_dir=data_dir).load([name]).tasks.items():
            for document in task.build():
                luck = random.Random(f"{leaf} {document.doc_id}")
                right = luck.random() < 0.6
                turned = random.Random(f"{leaf} {document.doc_id} {changed}")
                if turned.random() < changed:
                    right = not right
                yield {"task": leaf, "doc_id": document.doc_id, **answer(document, right, turned)}


def answer(document: Any, right: bool, luck: random.Random) -> dict[str, Any]:
    choices = [request.continuation for request in document.requests if request.kind == "score"]
    if choices:
        target = int(document.target) if str(document.target).isdigit() else 0
        best = target if right else (target + luck.randrange(1, len(choices))) % len(choices)
        scores = [-luck.uniform(2, 9) * (1 + len(text) / 40) for text in choices]
        scores[best] = -luck.uniform(0.05, 0.9)
        return {"choice_logprobs": scores}
    text = str(document.doc.get("answer") or document.doc.get("canonical_solution") or "")
    if "canonical_solution" in document.doc:
        return {"output": text if right else "    return None\n"}
    if not text:
        target = str(document.target)
        wrong = "(Z)" if target.startswith("(") else f"not {target}"
        return {"output": f"Let me look at it step by step. So the answer is {target if right else wrong}."}
    return {"output": text if right else re.sub(r"####.*", f"#### {luck.randrange(1000, 9999)}", text)}


# ── writing it ───────────────────────────────────────────────────────────────


def build(folder: Path, page: Path) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    refs = [str(folder / model / "full") for model in MODELS]
    command = [sys.executable, "-m", "evalkit", "report", *refs, "--html", str(page)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = sum(path.stat().st_size for model in MODELS for path in (folder / model / "full" / "samples").iterdir())
    return {
        "seconds": taken,
        "cpu_seconds": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
        "rows_mb": rows / 1e6,
    }


def plain_table(folder: Path, page: Path) -> None:
    from evalkit.comparison.texts import answers, question, target
    from evalkit.results import Run

    one, other = (Run.open(folder / model / "full") for model in MODELS)
    with page.open("w", encoding="utf-8") as file:
        file.write("<!doctype html><meta charset='utf-8'><table>")
        for task in one.tasks:
            for row, twin in zip(one.rows(task), other.rows(task), strict=True):
                cells = [task, str(row["doc_id"]), question(row), target(row), *answers(row)[:1], *answers(twin)[:1]]
                file.write("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>\n")
        file.write("</table>")


# ── opening it ───────────────────────────────────────────────────────────────


def browse(page: Path, plain: Path) -> dict[str, Any]:
    from tests.helpers.browser import launched

    found: dict[str, Any] = {"page": {"mb": page.stat().st_size / 1e6}, "plain": {"mb": plain.stat().st_size / 1e6}}
    opened: dict[str, list[float]] = {"page": [], "plain": []}
    with launched() as browser:
        # In turns, so that a busy moment of the machine meets both.
        for _ in range(3):
            for side, path, ready in (("page", page, "body[data-ready]"), ("plain", plain, "tr:last-child")):
                tab = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
                tab.set_default_timeout(300_000)
                start = time.perf_counter()
                tab.goto(path.as_uri())
                tab.wait_for_selector(ready, state="attached")
                tab.evaluate(PAINTED)
                opened[side].append(time.perf_counter() - start)
                tab.context.close()
        tab = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
        tab.goto(page.as_uri())
        tab.wait_for_selector("body[data-ready]")
        tab.evaluate(EVERY_OUTCOME)
        found["documents"] = int(tab.locator("#doc-count").inner_text().split()[0].replace(",", ""))
        found["filter_ms"] = {name: tab.evaluate(TYPED, list(step)) for name, step in STEPS.items()}
        found["scroll_ms"] = tab.evaluate(SCROLLED)
    for side, taken in opened.items():
        found[side]["open_s"] = sorted(taken)[1]
    return found


def show(found: dict[str, Any]) -> None:
    build, page, plain = found["build"], found["page"], found["plain"]
    print(f"two runs, {found['documents']:,} documents, rows of {build['rows_mb']:.0f} MB")
    print(f"{'':34}{'report':>10}{'plain table':>14}{'ratio':>8}")
    for what, key, unit in (("size", "mb", "MB"), ("open, until it can be used", "open_s", "s")):
        print(f"{what:34}{page[key]:8.2f} {unit:2}{plain[key]:11.2f} {unit:2}{plain[key] / page[key]:7.1f}")
    print(
        f"\nwriting it: {build['seconds']:.1f} s, {build['cpu_seconds']:.1f} s of processor, {build['peak_mb']:.0f} MB"
    )
    print(f"\n{'':34}{'first seen':>11}{'all found':>11}")
    for name, (first, taken) in found["filter_ms"].items():
        print(f"{name:34}{first:8.0f} ms{taken:8.0f} ms")
    print(f"{'scrolling, slowest of 60 frames':34}{found['scroll_ms']:8.0f} ms")


if __name__ == "__main__":
    main()
