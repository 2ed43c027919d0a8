"""Judging a run through the command line, with a loopback server for a judge."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from evalkit.results import Run, RunWriter, TaskSettings
from evalkit.types import Row
from tests.helpers import warm
from tests.helpers.judged import (
    CANARY,
    RUBRIC,
    environment,
    evalkit,
    expected,
    figure,
    judge,
    make_run,
    of_judge,
    write,
)
from tests.helpers.loopback import Loopback, score_of
from tests.helpers.runfolders import manifest_of, results_of


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


def test_a_refusal_without_log_probabilities_leaves_the_others_theirs(tmp_path: Path) -> None:
    make_run(tmp_path, 60)
    with Loopback(logprobs="with scores", faults={"refuse": 0.1}) as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        stats = server.stats()
    refused = stats["kinds"]["refuse"]
    assert figure(tmp_path)["methods"] == {"logprobs": 60 - refused, "samples": refused}
    assert stats["requests"] <= 60 + refused


def test_judging_one_task_leaves_what_was_said_of_another(tmp_path: Path) -> None:
    run = make_run(tmp_path, 6)
    with RunWriter(tmp_path, "nano", "r2") as writer:
        for task in ("chat", "talk"):
            lines = [{**line, "doc_id": i} for i, line in enumerate(run.rows("chat"))]
            writer.rows(
                task, (Row(task, i, f"h{i}", f"p{i}", "none", line, {"x": 1.0}) for i, line in enumerate(lines))
            )
        chat = run.record.results.tasks["chat"]
        results = run.record.results.model_copy(update={"tasks": {"chat": chat, "talk": chat}})
        settings = {"chat": TaskSettings(), "talk": TaskSettings()}
        writer.commit(run.record.manifest.model_copy(update={"tasks": settings}), results)
    with Loopback() as server:
        for task in ("talk", "chat", "chat"):
            judge(tmp_path, "--judge", f"openai:fake@{server.url}", "--tasks", task, run="r2")
    (file,) = (tmp_path / "nano/r2/judgments").iterdir()
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["item"] for row in rows] == [f"{task}/{i}|nano" for task in ("chat", "talk") for i in range(6)]
    judged = Run.open(tmp_path / "nano/r2").record.results.tasks
    assert all(of_judge(task.as_json()["metrics"], "quality,one")["value"] is not None for task in judged.values())


def test_a_killed_client_goes_on_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    make_run(tmp_path, 300)
    (tmp_path / "one.yaml").write_text(RUBRIC)
    with Loopback(delay=0.1) as server:
        args = ["--judge", f"openai:fake@{server.url}", "--judge-args", "max_concurrency=8"]
        command = ["judge", "run", "r1", "--output-path", str(tmp_path), "-q", "--rubric", str(tmp_path / "one.yaml")]
        process = warm.start(*command, *args, env=environment(), cwd=tmp_path)
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


def test_replay_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, 2)
    (tmp_path / "one.yaml").write_text(RUBRIC)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    args = ["r1", "--output-path", str(tmp_path), "--rubric", str(tmp_path / "one.yaml"), "--judge", "openai:gpt-4o"]
    # The journal is empty: that is what it says, not that a key is missing.
    assert "holds no answer of openai:gpt-4o" in evalkit("judge", "replay", *args, code=4).stderr
    assert "OPENAI_API_KEY" in evalkit("judge", "run", *args, code=2).stderr


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
    found = figure(tmp_path, "quality,one@openai:fake")
    assert found["scale"] == [1.0, 5.0]
    assert found["fingerprint"]
    assert found["calibration"]["reason"]
    assert results_of(run)["tasks"]["chat"]["metrics"]["x,none"]["value"] == 1.0
    lines = [line for line in run.scores().to_pylist() if line["metric"] == "quality"]
    assert len(lines) == 40
    assert {line["filter"] for line in lines} == {f"one@openai:fake@{server.url}"}
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
        done = warm.run(*command, "--output-path", str(tmp_path), env=environment())
        assert done.returncode == 0, done.stderr
        assert json.loads(out.read_text())["quality"]["spearman"] > 0.99
        judge(tmp_path, "--judge", f"openai:fake@{server.url}", verb="replay")
    assert figure(tmp_path)["calibration"]["dimensions"]["quality"]["spearman"] > 0.99


def test_several_judges_are_averaged_and_their_distance_told(tmp_path: Path) -> None:
    make_run(tmp_path, 20)
    with Loopback() as first, Loopback(logprobs="no") as second:
        both = f"openai:a@{first.url},openai:b@{second.url}"
        judge(tmp_path, "--judge", both)
    found = figure(tmp_path, "quality,one@openai:a+openai:b")
    plain = sum(map(score_of, range(20))) / 20
    assert figure(tmp_path, "quality,one@openai:a")["value"] == pytest.approx(expected(range(20)))
    assert figure(tmp_path, "quality,one@openai:b")["value"] == pytest.approx(plain)
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
        return warm.run(*command, env=environment())

    with Loopback() as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        judge(tmp_path, "--judge", f"openai:fake@{server.url}", run="r2")
        first = gate()
        make_run(tmp_path, 20, run_id="r3", wording="A third answer to item-{}.")
        judge(tmp_path, "--judge", f"openai:other@{server.url}", run="r3")
        command[2] = "r3"
        second = gate()
    assert first.returncode == 0, first.stdout + first.stderr
    assert "no calibration record" in first.stdout
    assert second.returncode == 2
    assert "another judge in each run" in second.stderr


def test_wrong_asking_exits_2(tmp_path: Path) -> None:
    make_run(tmp_path, 3)
    assert "did you mean openai" in judge(tmp_path, "--judge", "opnai:m", code=2).stderr
    assert (
        "no such rubric" in judge(tmp_path, "--judge", "openai:m@http://127.0.0.1:9/v1", "--rubric", "x", code=2).stderr
    )
    missing = judge(tmp_path, "--judge", "openai:m@http://127.0.0.1:9/v1", "--rubric", "dialogue", code=2).stderr
    assert "--input conversation=FIELD" in missing


# ── structured output ────────────────────────────────────────────────────────


def described(root: Path) -> dict[str, Any]:
    manifest = manifest_of(Run.open(root / "nano" / "r1"))
    (settings,) = manifest["judging"].values()  # one rubric and one judge
    abilities: dict[str, Any] = settings["judges"][0]["engine"]["abilities"]
    return abilities


@pytest.mark.parametrize(
    ("server_settings", "support", "method"),
    [
        ({"structured": "yes"}, "yes", "samples (20; no log-probabilities; structured output)"),
        ({"structured": "ignored"}, "ignored", "samples (20; no log-probabilities)"),
        ({"refuses": ["response_format"]}, "no", "samples (20; no log-probabilities)"),
    ],
)
def test_a_server_without_log_probabilities_is_held_to_a_form_where_it_can_be(
    tmp_path: Path, server_settings: dict[str, Any], support: str, method: str
) -> None:
    make_run(tmp_path, 20)
    with Loopback(logprobs="no", **server_settings) as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
    found = figure(tmp_path)
    assert found["value"] == pytest.approx(sum(map(score_of, range(20))) / 20)
    assert found["method"] == method
    supports = described(tmp_path)["supports"]
    assert supports["structured output"] == support
    assert supports["logprobs"] == "ignored"
    assert supports["temperature"] == supports["n"] == supports["system"] == "yes"
    judge(tmp_path, "--judge", f"openai:fake@{server.url}", verb="replay")
    assert figure(tmp_path)["method"] == method


def test_where_log_probabilities_are_read_no_form_is_asked_for(tmp_path: Path) -> None:
    make_run(tmp_path, 20)
    with Loopback(refuses=["response_format"], faults={"prose": 0.2}) as server:
        judge(tmp_path, "--judge", f"openai:fake@{server.url}")
        assert "refused" not in server.stats()["kinds"]
    assert described(tmp_path)["supports"]["structured output"] == "not asked"
    assert figure(tmp_path)["methods"]["samples"] > 0


def test_a_judge_that_is_held_to_a_form_can_still_decline(tmp_path: Path) -> None:
    make_run(tmp_path, 1)
    with Loopback(logprobs="no", structured="declines") as server:
        done = judge(tmp_path, "--judge", f"openai:fake@{server.url}", code=4)
    assert "no score given" in done.stderr
    assert figure(tmp_path)["value"] is None


def test_a_calibration_record_counts_for_the_same_judge_and_rubric_only(tmp_path: Path) -> None:
    make_run(tmp_path, 20)
    make_run(tmp_path, 20, run_id="r2", wording="Another answer to item-{}.")
    (tmp_path / "gate.yaml").write_text("tasks: {chat: {metric: 'quality,one', max_drop: 3}}\n")
    labels = [{"item": f"chat/{i}|nano", "dimension": "quality", "human": score_of(i)} for i in range(20)]
    people = write(tmp_path / "h.jsonl", labels)
    gate = ["gate", "r1", "r2", "--policy", str(tmp_path / "gate.yaml"), "--output-path", str(tmp_path)]
    with Loopback() as server:
        asked = ["--judge", f"openai:fake@{server.url}"]
        judge(tmp_path, *asked)
        judgments = next((tmp_path / "nano/r1/judgments").iterdir())
        kept = evalkit(
            *("judge", "calibrate", "--judgments", str(judgments), "--labels", str(people)),
            *("--output-path", str(tmp_path)),
        )
        assert "calibration record" in kept.stdout
        judge(tmp_path, *asked)
        judge(tmp_path, *asked, run="r2")
        assert "no calibration record" not in evalkit(*gate).stdout
        # One word more in the rubric, and the record is another's.
        (tmp_path / "one.yaml").write_text(RUBRIC.replace("Is it good", "Is it very good"))
        judge(tmp_path, *asked)
        judge(tmp_path, *asked, run="r2")
        assert "no calibration record" in evalkit(*gate).stdout
