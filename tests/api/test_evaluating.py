"""Models run, answers scored and judged in Python."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evalkit as ek
from evalkit.api.finishing import finish
from evalkit.errors import AskedWrong, ConfigError, CouldNotDo, EvalkitError, Interrupted, UsageError
from evalkit.runner import Outcome
from tests.helpers.runfolders import manifest_of

TASK = "mini_arithmetic"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def run(root: Path) -> ek.Run:
    found: ek.Run = ek.evaluate("nano", tasks=[TASK], limit=4, output_path=root, name="first")
    return found


def test_a_model_gives_a_run(run: ek.Run, root: Path) -> None:
    assert isinstance(run, ek.Run)
    assert (run.run_id, run.model, run.status, run.requested) == ("first", "nano", "limited", [TASK])
    assert run.path == root / "nano" / "first"
    assert len(run.samples(TASK)["doc_id"].unique()) == 4
    assert set(run.figures()["task"]) == {TASK}
    assert ek.load("nano@latest", root).run_id == "first"


def test_nothing_is_printed_unless_it_is_asked_for(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ek.evaluate("nano", tasks=TASK, limit=2, output_path=root, name="quiet")
    assert capfd.readouterr() == ("", "")
    ek.evaluate("nano", tasks=TASK, limit=2, output_path=root, name="shown", progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "LIMITED" in shown.err


def test_it_works_beside_a_running_event_loop_in_it_and_twice(root: Path) -> None:
    async def both() -> list[ek.Run]:
        inside = ek.evaluate("nano", tasks=TASK, limit=2, output_path=root, name="inside")
        beside = await asyncio.to_thread(ek.evaluate, "nano", tasks=TASK, limit=2, output_path=root, name="beside")
        return [inside, beside]

    inside, beside = asyncio.run(both())
    assert ek.compare(inside, beside).frame()["delta"].tolist() == [0.0]


def test_signal_handlers_are_as_before(root: Path) -> None:
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    failed: list[BaseException] = []

    def work() -> None:
        try:
            ek.evaluate("nano", tasks=TASK, limit=2, output_path=root, name="thread", fresh=True)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(240)
    assert not failed
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_several_models_give_a_list(root: Path) -> None:
    runs = ek.evaluate("nano", adapter={"tuned": "nano-tuned"}, tasks=TASK, limit=2, output_path=root, name="pair")
    assert [run.run_id for run in runs] == ["pair", "pair+tuned"]


def test_a_file_stands_in_for_arguments_left_at_their_defaults(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"model: nano\ntasks: [{TASK}]\nlimit: 3\nname: file\noutput_path: {root}\nquiet: true\n")
    run = ek.evaluate(config=file, limit=2)
    assert (run.run_id, manifest_of(run.stored)["limit"]) == ("file", 2)
    file.write_text("modle: nano\n")
    with pytest.raises(ConfigError, match="did you mean model"):
        ek.evaluate(config=file)


def test_figures_are_written_where_they_are_asked_for(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    ek.evaluate("nano", tasks=TASK, limit=4, output_path=root, name="first", json=target)
    assert json.loads(target.read_text())["run_id"] == "first"


@pytest.mark.parametrize("kind", ["rows", "frame", "file", "run"])
def test_answers_are_scored_from_rows_frames_files_and_runs(kind: str, run: ek.Run, root: Path, tmp_path: Path) -> None:
    rows = [{"task": TASK, "doc_id": number, "output": "The answer is 4."} for number in range(5)]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {"rows": rows, "frame": pd.DataFrame(rows), "file": file, "run": run}
    found = ek.score(given[kind], tasks=[TASK], output_path=root, name=f"scored-{kind}")
    assert found.model == {"rows": "answers", "frame": "answers", "file": "mine", "run": "nano"}[kind]
    assert len(found.samples(TASK)["doc_id"].unique()) == (4 if kind == "run" else len(found.samples(TASK)) // 2)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([{"task": TASK, "output": "4"}], "answers:1: doc_id"),
        ([3], "answers:1 is int"),
        ([], "no recorded answer"),
        (3, "this is int"),
        ({"task": TASK}, "this is dict"),
        ([{"task": TASK, "doc_id": 1, "output": object()}], "can't be written"),
    ],
    ids=["no doc_id", "not a row", "empty", "a number", "one row", "an object"],
)
def test_wrong_answers_are_named(answers: Any, said: str, root: Path) -> None:
    with pytest.raises(AskedWrong, match=said):
        ek.score(answers, output_path=root)


def test_a_missing_file_of_answers_is_called_a_file(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"no file .*answer\.jsonl.*did you mean answers\.jsonl"):
        ek.score(tmp_path / "answer.jsonl")


def test_an_estimate_asks_nobody(root: Path, tmp_path: Path) -> None:
    estimate = ek.evaluate("nano", tasks=TASK, limit=4, dry_run=True, output_path=root, json=tmp_path / "cost.json")
    assert estimate.requests == 4
    assert json.loads((tmp_path / "cost.json").read_text())["requests"] == 4
    assert "requests" in repr(estimate)
    assert "<table" in estimate._repr_html_()


@pytest.mark.parametrize(("code", "kind"), [(4, CouldNotDo), (130, Interrupted), (2, AskedWrong)])
def test_what_failed_carries_the_runs_that_were_written(code: int, kind: type[EvalkitError], run: ek.Run) -> None:
    outcome = Outcome(run.stored, code, "the engine died; what had finished is kept")
    with pytest.raises(kind, match="the engine died") as raised:
        finish([outcome], None, None)
    assert raised.value.exit_code == code
    assert [written.run_id for written in raised.value.runs] == ["first"]
