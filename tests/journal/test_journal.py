"""The journal, from outside: what was acknowledged is there, whatever happens to the process or the disk."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import signal
import sys
import threading
import time
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import OutputError
from evalkit.journal import Journal, expected_bytes, stat
from evalkit.journal.records import Record
from evalkit.types import Generated, Scored, ScoreRequest
from tests.helpers.journals import KEYER, answer, ask, fill, known, python

floats = st.floats(allow_nan=False)
texts = st.text(st.characters(), max_size=40)
records = st.one_of(
    st.builds(Scored, st.just(0), floats, st.booleans()),
    st.builds(
        Generated,
        st.just(0),
        texts,
        st.sampled_from(["stop", "length", "unfinished"]),
        st.integers(0, 99),
        texts | st.none(),
    ),
)


def test_answers_come_back_to_the_bit(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        count = 0

        @settings(max_examples=60, deadline=None)
        @given(records)
        def same(record: Record) -> None:
            nonlocal count
            count += 1
            made = KEYER.key(ask(count))
            journal.put(made, record)
            journal.flush()
            [found] = journal.get_many([(5, made)])
            assert found == dataclasses.replace(record, id=5)
            assert repr(found) == repr(dataclasses.replace(record, id=5)), "also -0.0"

        same()


def test_what_is_no_answer_is_not_kept(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.put(KEYER.key(ask(1)), Scored(1, math.nan, False))
        journal.put(KEYER.key(ask(2)), Generated(2, "", "error", 0))
        journal.flush()
        assert list(journal.get_many([(1, KEYER.key(ask(1))), (2, KEYER.key(ask(2)))])) == []


def test_the_first_answer_stays(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        for text in ("first", "second"):
            journal.put(KEYER.key(ask(1)), Generated(1, text, "stop", 1))
            journal.flush()
        [found] = journal.get_many([(1, KEYER.key(ask(1)))])
    assert isinstance(found, Generated)
    assert found.text == "first"


def test_one_answer_serves_all_who_ask_and_unknown_ones_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, [1])
    with Journal.open(tmp_path) as journal:
        pairs = [(10, KEYER.key(ask(1))), (11, KEYER.key(ask(2))), (12, KEYER.key(ask(1)))]
        assert [found.id for found in journal.get_many(iter(pairs))] == [10, 12]


def test_values_of_other_kinds_are_kept_too(tmp_path: Path) -> None:
    reply = {"text": "4", "top": [["4", -0.1], ["5", -2.5]]}
    made = KEYER.of_json({"rubric": "helpful", "messages": [["user", "답"]], "n": 20})
    with Journal.open(tmp_path) as journal:
        journal.put_json(made, reply)
        journal.flush()
        assert dict(journal.get_json([made, KEYER.of_json("else")])) == {made: reply}


def test_several_threads_may_put_and_ask(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:

        def work(part: int) -> None:
            for number in range(part, 2000, 4):
                journal.put(KEYER.key(ask(number)), answer(number, 40))
                if number % 100 == part:
                    list(journal.get_many([(number, KEYER.key(ask(number)))]))

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found, notices = known(tmp_path, range(2000))
    assert found == {n: answer(n, 40) for n in range(2000)}
    assert notices == []


def test_it_is_durable_soon_without_being_asked_to(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.put(KEYER.key(ask(1)), answer(1))
        deadline = time.monotonic() + 10
        while journal.acknowledged == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert journal.acknowledged == 1


WRITER = """
    root, safe, first, count = Path(sys.argv[1]), sys.argv[2] == "safe", int(sys.argv[3]), int(sys.argv[4])
    journal = Journal.open(root, safe=safe, run="m/r")
    print("open", flush=True)
    for number in range(first, first + count):
        journal.put(KEYER.key(ask(number)), answer(number))
        if number % 50 == 0:
            print(journal.acknowledged, flush=True)
            time.sleep(0.002)
"""


@pytest.mark.parametrize("mode", ["fast", "safe"])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, mode: str) -> None:
    chance = random.Random(mode)
    for turn in range(4):
        first = turn * 10**6
        writer = python(WRITER, tmp_path, mode, first, 10**6)
        assert writer.stdout is not None
        acknowledged, until = 0, None
        for line in writer.stdout:
            if line.strip() != "open":
                acknowledged = int(line)
            if acknowledged and until is None:
                until = time.monotonic() + chance.uniform(0, 0.8)
            if until is not None and time.monotonic() > until:
                break
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].split()
        acknowledged = max([acknowledged, *(int(word) for word in rest[:-1] if word.isdigit())])
        found, notices = known(tmp_path, range(first, first + acknowledged + 20000), safe=mode == "safe")
        assert [number in found for number in range(first, first + acknowledged)] == [True] * acknowledged
        assert all(found[number] == answer(number) for number in found)
        assert notices == [], "an ordinary kill is no damage"


@pytest.mark.parametrize("mode", ["fast", "safe"])
def test_two_processes_on_one_folder_lose_nothing(tmp_path: Path, mode: str) -> None:
    program = WRITER + "\n    journal.close()"
    both = [python(program, tmp_path, mode, first, 3000) for first in (0, 3000)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    found, _ = known(tmp_path, range(6000), safe=mode == "safe")
    assert found == {number: answer(number) for number in range(6000)}
    assert [path.name for path in (tmp_path / ".journal").glob("*.db")] == ["answers.db"]


def test_where_locks_cannot_be_shared_the_second_process_says_so_and_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, [1], safe=True)
    with Journal.open(tmp_path, safe=True) as first:
        assert [item.id for item in first.get_many([(1, KEYER.key(ask(1)))])] == [1]
        second = python(
            """
            journal = Journal.open(Path(sys.argv[1]), safe=True)
            journal.put(KEYER.key(ask(2)), answer(2))
            journal.close()
            print(journal.notices)
            """,
            tmp_path,
        )
        assert "answers-2.db" in second.communicate()[0]
    found, notices = known(tmp_path, [1, 2], safe=True)
    assert (sorted(found), notices) == ([1, 2], [])


def test_a_journal_may_move_between_the_two_kinds_of_place(tmp_path: Path) -> None:
    for turn, safe in enumerate([False, True, False, True]):
        fill(tmp_path, [turn], safe=safe)
    assert sorted(known(tmp_path, range(4))[0]) == [0, 1, 2, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are set with Linux's rlimits here")
@pytest.mark.parametrize("mode", ["fast", "safe"])
def test_a_disk_that_takes_no_more_is_said_and_what_was_kept_stays(tmp_path: Path, mode: str) -> None:
    writer = python(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        journal = Journal.open(Path(sys.argv[1]), safe=sys.argv[2] == "safe")
        try:
            for number in range(10_000):
                journal.put(KEYER.key(ask(number)), answer(number))
                if number % 100 == 0:
                    journal.flush()
        except OutputError as error:
            print(journal.acknowledged, str(error).replace("\\n", " "))
        try:
            journal.close()
        except OutputError:
            pass
        """,
        tmp_path,
        mode,
    )
    out, errors = writer.communicate()
    assert "can't write" in out, errors
    acknowledged = int(out.split()[0])
    assert acknowledged > 0
    found, _ = known(tmp_path, range(10_000), safe=mode == "safe")
    assert len(found) >= acknowledged
    assert all(found[number] == answer(number) for number in found)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--output-path"):
        Journal.open(tmp_path / "file")


def test_the_room_needed_is_estimated_from_the_counts(tmp_path: Path) -> None:
    with Journal.open(tmp_path, run="m/r") as journal:
        for number in range(2000):
            journal.put(KEYER.key(ask(number)), Generated(number, "x" * 800, "stop", 200))
            scored = ScoreRequest(number, array("i", [number]), array("i", [1]))
            journal.put(KEYER.key(scored), Scored(number, -1.2345678901234567, True))
    real = stat(tmp_path).bytes
    assert 0.7 * real < expected_bytes(2000, 2000, 800) < 1.5 * real


def test_no_key_reaches_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-4711-abcdef"
    monkeypatch.setenv("SERVICE_API_KEY", canary)
    with Journal.open(tmp_path) as journal:
        journal.put(KEYER.key(ask(1)), Generated(1, f"your key is {canary}", "stop", 5, f"hm {canary}"))
        journal.put_json(KEYER.of_json(1), {"reply": canary})
    for path in (tmp_path / ".journal").iterdir():
        assert canary.encode() not in path.read_bytes()
    assert json.dumps("[SERVICE_API_KEY]")[1:-1].encode() in (tmp_path / ".journal" / "answers.db").read_bytes()
