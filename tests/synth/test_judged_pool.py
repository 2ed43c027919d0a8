"""From seeds to how far a judge agrees with people about the pool, by the commands of docs/synth.md."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.results import Run
from tests.helpers.judged import ROOT
from tests.helpers.runfolders import results_of
from tests.helpers.scripted import scripted, writes_tasks

SEEDS = [
    f"{subject} 안내문을 {way} 쓰세요" for subject in ("환불", "배송", "교환") for way in ("짧게", "정중하게", "쉽게")
]


def answers(prompt: str, rng: random.Random) -> str:
    """Writes tasks; as a judge, it finds answers whose number is even right, and every instruction clear."""
    if "# 평가 기준" not in prompt:
        return writes_tasks(prompt, rng)
    if ": clear" in prompt.split("\n", 1)[0]:
        return "예"
    # The judge sees the input below the instruction: its number is the answer's. A class label has none.
    number = re.search(r" 자료 (\d+)\n[^\0]*에 관한 답 \1\n", prompt)
    return "예" if number is not None and int(number[1]) % 2 == 0 else "아니요"


def evalkit(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 0


def test_the_chain_from_seeds_to_agreement_with_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.chdir(tmp_path)
    rows = [{"instruction": text, "instances": [{"input": "", "output": "안내드립니다."}]} for text in SEEDS]
    Path("seeds.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    shipped = (ROOT / "judges" / "synthetic-task-ko.yaml").read_text(encoding="utf-8")
    Path("rubric.yaml").write_text(f"{shipped}\nengine: {{samples: 2}}\n", encoding="utf-8")
    with scripted(answers) as server:
        writer, judge = (f"openai:{name}@{server.url}" for name in ("writer", "judge"))
        evalkit("synth", "new", "--seeds", "seeds.jsonl", "--generator", writer, "--n", 6, "--out", "pool", "-q")
        evalkit("synth", "export", "pool", "--format", "answers")
        evalkit("score", "pool/export/pool.jsonl", "-q")
        asked = ("pool@latest", "--rubric", "rubric.yaml", "--judge", judge, "-q")
        evalkit("judge", "run", *asked)
        evalkit("synth", "show", "pool", "--to-label", "labels.jsonl", "--sample", 6)
        labels = [json.loads(line) for line in Path("labels.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {row["human"] for row in labels} == {None}
        with Path("labels.jsonl").open("w", encoding="utf-8") as file:
            for row in labels:
                number = row["output"].rsplit(" ", 1)[-1]
                right = row["dimension"] == "clear" or (number.isdigit() and int(number) % 2 == 0)
                file.write(json.dumps({**row, "human": int(right)}, ensure_ascii=False) + "\n")
        [run] = [Run.open(path) for path in Path("results/pool").iterdir()]
        [judgments] = (run.path / "judgments").iterdir()
        held = ("--judgments", judgments, "--labels", "labels.jsonl", "--rubric", "rubric.yaml")
        evalkit("judge", "calibrate", *held, "--json", "agreement.json")
        before = len(server.prompts)
        evalkit("judge", "replay", *asked)
        assert len(server.prompts) == before
    agreement: dict[str, Any] = json.loads(Path("agreement.json").read_text())
    assert agreement["right"]["pearson"] == pytest.approx(1.0)
    assert agreement["right"]["n"] == agreement["clear"]["n"] == 6
    metrics = results_of(Run.open(run.path))["tasks"]["alpaca:pool/pool.jsonl"]["metrics"]
    [right] = [figure for name, figure in metrics.items() if name.startswith("right,")]
    assert right["calibration"]["language"] == "ko"
    assert right["calibration"]["dimensions"]["right"]["n"] == 6
