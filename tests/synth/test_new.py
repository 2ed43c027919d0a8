"""evalkit synth new: pools that a scripted server writes, through the real engine, and one of a local model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.cli import main
from evalkit.engines.mock import MockEngine
from evalkit.errors import BudgetReached, EngineError, SynthesisError, UsageError
from evalkit.registry.instructions import read_instructions
from evalkit.synth.cosine import TfIdf
from evalkit.synth.forms import misfit
from evalkit.synth.novelty import Novelty
from evalkit.synth.recipe import EVALKIT, RECIPES
from evalkit.synth.seeds import Instance
from evalkit.types import Answer, Work
from tests.helpers.scripted import scripted, writes_tasks

SEEDS = [
    ("다음 회의록을 세 문장으로 요약하세요", "회의록: 월요일에 모이기로 했다.", "월요일에 모인다."),
    ("이 후기가 긍정적인지 부정적인지 분류하세요", "배송이 빨라요", "긍정"),
    ("김치찌개 끓이는 순서를 번호로 적으세요", "", "1. 김치를 볶는다 2. 물을 붓는다"),
    ("주어진 낱말로 짧은 시를 지으세요", "바다", "바다는 아침마다 새로 태어난다"),
    ("반말로 된 문장을 존댓말로 바꾸세요", "밥 먹었어?", "식사하셨어요?"),
    ("환불을 묻는 고객에게 보낼 답장을 쓰세요", "환불되나요?", "네, 7일 안에 환불해 드립니다."),
    ("두 도시의 물가를 견주어 설명하세요", "서울, 부산", "서울의 집값이 부산보다 높다."),
    ("이 소설의 다음 문단을 이어 쓰세요", "문이 열렸다.", "그는 안으로 들어갔다."),
    ("광고 문구에서 과장된 표현을 찾아 고치세요", "세계 최고의 의자", "편안한 의자"),
]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    path = tmp_path / "seeds.jsonl"
    rows = [
        {"instruction": asked, "instances": [{"input": given, "output": output}], "is_classification": "분류" in asked}
        for asked, given, output in SEEDS
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def new(seeds: Path, url: str, out: Path, **more: Any) -> Any:
    settings = {"n": 25, "output_path": out.parent / "results", "held_out": 0.3, "model_args": "price=1/2", **more}
    return ek.synth_new(seeds, f"openai:writer@{url}", out=out, **settings)


def test_korean_seeds_give_a_korean_pool_that_is_a_task(seeds: Path, tmp_path: Path, capsys: Any) -> None:
    with scripted(writes_tasks) as server:
        made = new(seeds, server.url, tmp_path / "pool", max_usd=5)
        asked = len(server.prompts)
        again = new(seeds, server.url, tmp_path / "again")
        assert len(server.prompts) == asked, "all answers were in the journal"
    rows = lines(tmp_path / "pool" / "pool.jsonl")
    assert len(rows) == 25
    assert (made.asked, again.asked, again.reused) == (asked, 0, asked)
    assert (tmp_path / "pool" / "pool.jsonl").read_bytes() == (tmp_path / "again" / "pool.jsonl").read_bytes()
    for row in rows:
        assert re.search("[가-힣]", row["instruction"])
        assert row["output"]
        assert not row["instruction"].endswith(":")
        assert "사진" not in row["instruction"]
    assert 0 < sum(row["split"] == "held-out" for row in rows) < 25
    assert {row["is_classification"] for row in rows} == {True, False}
    refused = made.counts.refused
    assert refused["media"]
    assert refused["language"]
    assert made.cost is not None
    assert made.cost["usd"] > 0

    # Again from the kept answers, and nobody is there to ask.
    replayed = ek.synth_replay(tmp_path / "pool", out=tmp_path / "replayed")
    assert (tmp_path / "replayed" / "pool.jsonl").read_bytes() == (tmp_path / "pool" / "pool.jsonl").read_bytes()
    assert replayed.counts == made.counts

    view = ek.synth_show(tmp_path / "pool", to_label=tmp_path / "labels.jsonl", sample=5)
    content = json.loads(view.json())
    assert content["tasks"] == 25
    assert content["funnel"]["kept"] >= 25
    assert content["cost"]["usd"] == made.cost["usd"]
    assert 0 < content["classification_share"] < 1
    assert "refused" in repr(view)
    labels = lines(tmp_path / "labels.jsonl")
    assert [row["dimension"] for row in labels] == ["clear", "right"] * 5

    held = {row["instruction"] for row in rows if row["split"] == "held-out"}
    for form in ("alpaca", "koalpaca", "messages"):
        [path] = ek.synth_export(tmp_path / "pool", format=form)
        text = path.read_text(encoding="utf-8")
        assert not any(json.dumps(instruction, ensure_ascii=False)[1:-1] in text for instruction in held)
        run_rows = json.loads(text) if form == "alpaca" else lines(path)
        assert len(run_rows) == 25 - len(held)
    paths = ek.synth_export(tmp_path / "pool", format="lm-eval", out=tmp_path / "task")
    assert {path.name for path in paths} == {"synth_pool.yaml", "synth_pool.jsonl"}
    assert len(lines(tmp_path / "task" / "synth_pool.jsonl")) == len(held)

    [answers] = ek.synth_export(tmp_path / "pool", format="answers")
    items = {f"{row['task']}/{row['doc_id']}|pool" for row in lines(answers)}
    assert {row["item"] for row in labels} <= items
    pool = tmp_path / "pool" / "pool.jsonl"
    assert len(read_instructions(pool)) == 25, "--tasks alpaca:FILE reads it"


@pytest.mark.parametrize("recipe", ["self-instruct", "alpaca"])
def test_the_published_recipes(recipe: str, tmp_path: Path) -> None:
    """In English, where a classification's label comes first, and with Alpaca's whole tasks."""
    rows = [
        {
            "instruction": f"Do the thing number {n} with care",
            "instances": [{"input": "", "output": "Done."}],
            "is_classification": n < 3,
        }
        for n in range(9)
    ]
    path = tmp_path / "seeds.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    nouns = ["otter", "kettle", "harbour", "violin", "meadow", "lantern", "bridge", "copper", "garden", "thunder"]

    def answer(prompt: str, rng: Any) -> str:
        def task() -> str:
            return f"{rng.choice(['Describe', 'Sort', 'Invent'])} " + " ".join(rng.sample(nouns, 6))

        if "###" in prompt:
            first = f" {task()}\n4. Input:\n<noinput>\n4. Output:\nA"
            return f"{first}\n###\n5. Instruction: {task()}\n5. Input:\nx\n5. Output:\nB"
        if prompt.endswith("Classification?"):
            return " Yes" if "Sort" in prompt.rsplit("Task:", 1)[1] else " No"
        if "class label" in prompt.split("\n")[0]:
            return "Class label: up\nfirst text\nClass label: down\nsecond text"
        if prompt.startswith("Give examples"):
            return rng.choice(["Output: fine", "Example 1\nInput: a\nOutput: b\nExample 2\nInput: a\nOutput: c"])
        return f" {task()}\n10. {task()}\n11. 한국어로 짧은 시를 쓰세요"

    with scripted(answer) as server:
        made = new(path, server.url, tmp_path / "pool", n=20, recipe=recipe)
    pool = lines(tmp_path / "pool" / "pool.jsonl")
    again = ek.synth_replay(tmp_path / "pool", out=tmp_path / "again")
    assert again.counts == made.counts
    if recipe == "alpaca":
        assert {row["input"] for row in pool} == {"", "x"}
        assert "3. Output:" in server.prompts[0]
        return
    assert made.counts.refused["non-ascii"]
    assert made.counts.left_out["no instance"], "one input with two outputs"
    assert next(row["instances"] for row in pool if row["is_classification"]) == [
        {"input": "first text", "output": "up"},
        {"input": "second text", "output": "down"},
    ]
    assert server.prompts[0].startswith("Come up with a series of tasks:\n1. ")


def test_what_is_wrong_with_seeds_is_said(seeds: Path, tmp_path: Path, capsys: Any) -> None:
    rows = seeds.read_text(encoding="utf-8").splitlines()
    few = tmp_path / "few.jsonl"
    for content, words in (
        ("\n".join(rows[:7]), "7 seeds"),
        ("\n".join([*rows[:8], '{"instruction": "x", "instances": []}']), "few.jsonl:9: the seed has no instance"),
        ("\n".join([*rows[:8], '{"instruction": "x"}']), "no instance"),
    ):
        few.write_text(content, encoding="utf-8")
        with pytest.raises(SystemExit) as stop:
            main(["synth", "new", "--seeds", str(few), "--generator", "nano", "--out", str(tmp_path / "pool")])
        assert stop.value.code == 2
        assert words in " ".join(capsys.readouterr().err.split())
    with pytest.raises(UsageError, match="--about goes with"):
        ek.synth_new(seeds, "nano", out=tmp_path / "p", recipe="alpaca", about="billing")
    with pytest.raises(UsageError, match="no such recipe"):
        ek.synth_new(seeds, "nano", out=tmp_path / "p", recipe="evalkti")


def test_nothing_new_is_exit_4_with_the_funnel(seeds: Path, tmp_path: Path) -> None:
    told = r"nothing new came in 20 requests.*160 similar"
    with (
        scripted(lambda prompt, rng: "9. 다음 회의록을 세 문장으로 요약하세요") as server,
        pytest.raises(SynthesisError, match=told) as caught,
    ):
        new(seeds, server.url, tmp_path / "pool")
    assert caught.value.exit_code == 4
    assert (tmp_path / "pool" / "pool.jsonl").read_text() == ""


def test_an_estimate_and_a_topic(seeds: Path, tmp_path: Path) -> None:
    estimate = new(seeds, "http://127.0.0.1:9/v1", tmp_path / "pool", dry_run=True, n=500)
    assert estimate.requests > 1000
    assert estimate.usd > 0
    with scripted(writes_tasks) as server:
        new(seeds, server.url, tmp_path / "pool", n=3, about="요금 청구", embedder=f"openai:vectors@{server.url}")
    assert "요금 청구" in server.prompts[0]
    assert ek.synth_replay(tmp_path / "pool", out=tmp_path / "again").pool() == (
        tmp_path / "pool" / "pool.jsonl"
    ).read_text(encoding="utf-8")


def test_max_usd_stops_in_time_and_a_higher_limit_goes_on(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    out, folder = tmp_path / "pool", {"output_path": tmp_path / "results", "n": 6}
    with scripted(writes_tasks) as server:
        with pytest.raises(BudgetReached, match=r"--max-usd 0.002 is reached: 0\.00[01]\d* spent") as caught:
            new(seeds, server.url, out, max_usd=0.002, **folder)
        assert caught.value.exit_code == 4
        assert not (out / "pool.jsonl").exists()
        before = len(server.prompts)
        made = new(seeds, server.url, out, max_usd=1, **folder)
        assert made.reused == before, "what was paid for is not asked again"
        with pytest.raises(UsageError, match=r"the price of writer is not known here; give it with price=IN/OUT"):
            new(seeds, "https://api.example.com/v1", tmp_path / "free", max_usd=1, model_args="", **folder)
        with pytest.raises(UsageError, match="--max-usd is for models that cost money"):
            ek.synth_new(seeds, "nano", out=tmp_path / "free", max_usd=1)
    assert len(lines(out / "pool.jsonl")) == 6


def test_a_killed_run_ends_with_the_same_pool(seeds: Path, tmp_path: Path) -> None:
    with scripted(lambda prompt, rng: (time.sleep(0.02), writes_tasks(prompt, rng))[1]) as server:
        new(seeds, server.url, tmp_path / "whole", output_path=tmp_path / "other")
        asked = len(server.prompts)
        code = (
            "import sys, evalkit as ek\n"
            "ek.synth_new(sys.argv[1], sys.argv[2], n=25, out=sys.argv[3], output_path=sys.argv[4], held_out=0.3)\n"
        )
        arguments = [str(seeds), f"openai:writer@{server.url}", str(tmp_path / "pool"), str(tmp_path / "results")]
        child = subprocess.Popen([sys.executable, "-c", code, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})
        while len(server.prompts) < asked + 20 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not (tmp_path / "pool" / "pool.jsonl").exists()
        again = new(seeds, server.url, tmp_path / "pool")
    assert again.reused > 0
    assert (tmp_path / "pool" / "pool.jsonl").read_bytes() == (tmp_path / "whole" / "pool.jsonl").read_bytes()


def test_a_local_model_is_asked_through_its_engine(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nano writes nothing of use, and the pool says so."""
    short = {**EVALKIT.asking, "max_gen_toks": 16}
    monkeypatch.setitem(RECIPES, "evalkit", replace(EVALKIT, prompts_at_once=2, patience=2, asking=short))
    with pytest.raises(SynthesisError, match="nothing new came"):
        ek.synth_new(seeds, "nano", n=5, out=tmp_path / "pool", output_path=tmp_path / "results", engine="hf")
    assert len(lines(tmp_path / "pool" / "exchanges.jsonl")) == 4


def test_an_engine_that_loses_an_answer_is_not_waited_for(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loses(MockEngine):
        def _answer(self, item: Work) -> Iterator[Answer]:
            return (answer for answer in super()._answer(item) if answer.id != lost)

    def made() -> Any:
        return ek.synth_new(seeds, "nano", n=5, out=tmp_path / "pool", output_path=tmp_path / "results", engine="hf")

    monkeypatch.setitem(RECIPES, "evalkit", replace(EVALKIT, prompts_at_once=2, patience=2))
    monkeypatch.setattr("evalkit.runner.synthesizing.start", lambda *asked: engines.pop())
    lost = 1
    engines: list[MockEngine] = [Loses()]
    with pytest.raises(EngineError, match="hf ended without 1 of its answers"):
        made()
    engines.append(again := MockEngine())
    with pytest.raises(SynthesisError, match="nothing new came"):
        made()
    assert 0 not in again.sent, "the answer that came is not asked for again"


def test_what_a_benchmark_holds_is_not_new_and_its_boilerplate_is_no_sign() -> None:
    lead = "Which of the following statements best describes the"
    questions = [
        f"{lead} {word}?"
        for word in (["heart", "lung", "liver", "kidney", "spleen", "brain", "skin", "bone", "eye", "ear", "nose"])
    ]
    asked = "A farmer has seven sheep and buys five more every single week, how many are there"
    novelty = Novelty(
        [*questions, asked, "Name a prime", "고객이 상담원에게 남긴 메시지를 읽고 감정을 분류한 다음 이유를 쓰세요"]
    )
    assert novelty.found_in(f"Solve this: {asked.upper()} after three weeks?")
    assert novelty.found_in("name a PRIME!")
    assert novelty.found_in("상담원에게 남긴 메시지를 읽고, 감정을 분류한 다음 표로")
    assert not novelty.found_in(f"{lead} weather in May?"), "eleven questions begin so"
    assert not novelty.found_in("A farmer has seven sheep and sells them all before the winter")


def test_a_second_measure_sees_the_same_parts_in_another_order() -> None:
    from evalkit.synth.pool import Pool

    seed = "고객 문의를 유형별로 나누고 각 유형의 처리 기한을 표로 정리하세요"
    pool = Pool([seed], EVALKIT, TfIdf())
    assert pool.offer("각 유형의 처리 기한을 표로 정리하고 고객 문의를 유형별로 나누세요") is None
    assert pool.too_near
    assert pool.offer("고객에게 보낼 사과 편지를 공손하게 쓰세요") is not None


@pytest.mark.parametrize(
    ("instruction", "instance", "reason"),
    [
        ("도시 이름을 JSON으로 쓰세요", Instance("", '{"city": "서울"}'), None),
        ("도시 이름을 JSON으로 쓰세요", Instance("", "서울"), "form"),
        ("Name a city in JSON", Instance("", '```json\n["Rome"]\n```'), None),
        ("편지를 쓰세요", Instance("", "[이름]님께"), "placeholder"),
        ("편지를 쓰세요", Instance("", "Dear friend, how are you today"), "language"),
        ("편지를 영어로 번역하세요", Instance("안녕", "Dear friend, how are you today"), None),
        ("편지를 쓰세요", Instance("", "죄송하지만 도와드릴 수 없습니다"), "refusal"),
        ("편지를 쓰세요", Instance("", "다음과 같습니다:"), "cut answer"),
        ("편지를 쓰세요", Instance("", "또 다시 만나요 " * 9), "repetition"),
    ],
)
def test_answers_that_do_not_fit_their_form(instruction: str, instance: Instance, reason: str | None) -> None:
    assert misfit(instruction, instance, is_classification=False) == reason
