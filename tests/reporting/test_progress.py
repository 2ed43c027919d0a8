"""What is shown while a run goes on, by a clock of the test's own."""

from __future__ import annotations

import io

import pytest

from evalkit.reporting.pace import Pace
from evalkit.reporting.progress import Bars, Lines, Progress


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_no_estimate_before_there_is_enough_to_tell() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.start(1000)
    pace.advance(300)
    pace.known()
    clock.seconds += 30  # a slow start: compiling, the first batch
    assert pace.left is None
    pace.advance(8)
    clock.seconds += 5
    pace.advance(5)
    assert pace.left is None, "thirteen documents in five seconds"
    clock.seconds += 5
    pace.advance(5)
    # Ten documents in the ten seconds since the first ones came; 682 are to come.
    assert pace.left == pytest.approx(682)
    assert pace.kept == 300


def test_the_times_are_named_and_the_speed_stands_once() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.start(100)
    pace.known()
    pace.advance(1)
    clock.seconds += 68
    assert pace.text() == "1:08 elapsed"
    pace.advance(49)
    pace.tokens(6800)
    assert pace.text() == "100 tokens/s, 1:08 elapsed, about 1:09 left"
    pace.advance(50)
    assert pace.text() == "100 tokens/s, 1:08 elapsed"


def test_replicas_at_work_are_shown() -> None:
    stream = io.StringIO()
    lines = Lines(stream, Clock())
    lines.start({"a": 10})
    lines.replicas(1, 2)
    lines.replicas(2, 2)
    assert "1 of 2 replicas at work" in stream.getvalue()
    assert lines.pace.text().endswith("2/2 replicas")


def shown(shows: type[Bars] | type[Lines], tasks: dict[str, int]) -> str:
    clock, stream = Clock(), io.StringIO()
    progress = shows(stream, clock)
    progress.start(tasks)
    progress.known()
    for task, count in tasks.items():
        progress.advance(task)
        clock.seconds += 30
        progress.advance(task, count // 2)
    progress.tokens(9000)
    progress.advance(task)
    progress.finish()
    return stream.getvalue()


def test_several_tasks_have_one_line_for_all() -> None:
    text = shown(Bars, {"gsm8k": 100, "mmlu": 200})
    assert text.count("tokens/s") == text.count("elapsed") == text.count("left") == 1
    *tasks, overall = text.strip().splitlines()
    assert [line.split()[0] for line in tasks] == ["gsm8k", "mmlu"]
    assert overall.split()[0] == "all"
    assert "153/300" in overall
    assert "elapsed" in overall
    assert shown(Bars, {"gsm8k": 100}).count("elapsed") == 1
    assert "all" not in shown(Bars, {"gsm8k": 100})


def test_lines_name_their_times_and_tasks() -> None:
    assert "51/300 documents, 0:30 elapsed, about 2:29 left: gsm8k 51/100, mmlu 0/200" in shown(
        Lines, {"gsm8k": 100, "mmlu": 200}
    )


@pytest.mark.parametrize("shows", [Bars, Lines])
def test_ctrl_c_is_answered_and_the_bar_stands(shows: type[Bars] | type[Lines]) -> None:
    stream = io.StringIO()
    progress: Progress = shows(stream, Clock())
    progress.start({"gsm8k": 1300})
    progress.advance("gsm8k", 241)
    progress.stopping(17)
    before = stream.getvalue()
    assert before.strip().endswith("finishing 17 answers in flight; Ctrl-C again stops now")
    progress.advance("gsm8k", 1059)
    progress.finish()
    assert stream.getvalue() == before
