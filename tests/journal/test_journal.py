"""The journal, from outside: what was acknowledged is there, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import OutputError, UnknownModel
from evalkit.journal import Journal, Keyer, expected_bytes, key, prune, stat
from evalkit.journal.place import filesystem_of, is_network
from evalkit.journal.records import Record
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Generated, GenerateRequest, Message, Sampling, Scored, ScoreRequest

GREEDY = Sampling(max_tokens=16)
KEYER = Keyer(model_fingerprint("weights", dtype="float32"), "test/1")
PAGE = 4096


def ask(number: int, sampling: Sampling = GREEDY, **more: Any) -> GenerateRequest:
    return GenerateRequest(number, array("i", [number, 7]), sampling, **more)


def answer(number: int, length: int = 700) -> Generated:
    text = f"{number}: " + "답 " * (length // 4)
    return Generated(number, text, "stop", number)


def fill(root: Path, numbers: Iterable[int], **options: Any) -> None:
    with Journal.open(root, **options) as journal:
        for number in numbers:
            journal.put(KEYER.key(ask(number)), answer(number))


def known(root: Path, numbers: Iterable[int], **options: Any) -> tuple[dict[int, Record], list[str]]:
    with Journal.open(root, **options) as journal:
        found = {item.id: item for item in journal.get_many((n, KEYER.key(ask(n))) for n in numbers)}
        return found, list(journal.notices)


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    code = "from tests.journal.test_journal import *\n" + textwrap.dedent(program)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


# ── keys ─────────────────────────────────────────────────────────────────────


def test_a_key_is_blind_to_what_cannot_change_the_answer() -> None:
    base = key("f", ask(1), "e/1")
    assert key("f", dataclasses.replace(ask(1), id=99, cut_tokens=5, adapter="x", text="as text"), "e/1") == base
    for knob in ({"seed": 3}, {"top_p": 0.5}, {"top_k": 9}, {"min_p": 0.1}):
        assert key("f", ask(1, dataclasses.replace(GREEDY, **knob)), "e/1") == base
    scored = ScoreRequest(1, array("i", [1, 2]), array("i", [3]))
    assert key("f", scored, "e/1") == key("f", dataclasses.replace(scored, id=2, cut_tokens=9), "e/1")


SAMPLED = Sampling(max_tokens=16, temperature=1.0)
DIFFERENT: dict[str, bytes] = {
    "base": key("f", ask(1), "e/1"),
    "model": key("g", ask(1), "e/1"),
    "engine": key("f", ask(1), "e/2"),
    "prompt": key("f", ask(2), "e/1"),
    "max_tokens": key("f", ask(1, Sampling(max_tokens=17)), "e/1"),
    "stop": key("f", ask(1, Sampling(max_tokens=16, stop=("x",))), "e/1"),
    "penalty": key("f", ask(1, Sampling(max_tokens=16, repetition_penalty=1.1)), "e/1"),
    "extra": key("f", ask(1, Sampling(max_tokens=16, extra=(("a", 1),))), "e/1"),
    "sampled": key("f", ask(1, SAMPLED), "e/1"),
    "sampled seed": key("f", ask(1, dataclasses.replace(SAMPLED, seed=1)), "e/1"),
    "sampled top_p": key("f", ask(1, dataclasses.replace(SAMPLED, top_p=0.5)), "e/1"),
    "sample 2": key("f", ask(1, SAMPLED, sample=1), "e/1"),
    "score": key("f", ScoreRequest(1, array("i", [1]), array("i", [7])), "e/1"),
    "score split elsewhere": key("f", ScoreRequest(1, array("i", [1, 7]), array("i", [])), "e/1"),
    "text": key("f", GenerateRequest(1, array("i"), GREEDY, text="hi"), "e/1"),
    "messages": key("f", GenerateRequest(1, array("i"), GREEDY, text=(Message("user", "hi"),)), "e/1"),
    "role": key("f", GenerateRequest(1, array("i"), GREEDY, text=(Message("system", "hi"),)), "e/1"),
}


def test_engine_knobs_of_any_shape_have_a_key() -> None:
    odd = Sampling(max_tokens=16, extra=(("bad_words", ["a", "b"]), ("logit_bias", {"1": 2})))
    assert key("f", ask(1, odd), "e/1") == key("f", ask(1, odd), "e/1") != key("f", ask(1), "e/1")


def test_whatever_changes_the_answer_changes_the_key() -> None:
    assert len(set(DIFFERENT.values())) == len(DIFFERENT)
    assert {len(made) for made in DIFFERENT.values()} == {24}


def test_a_fingerprint_holds_every_part_that_is_known() -> None:
    base = model_fingerprint("w", dtype="float32", adapter=None)
    assert base == model_fingerprint("w", dtype="float32")
    others = [
        model_fingerprint("v", dtype="float32"),
        model_fingerprint("w", dtype="bfloat16"),
        model_fingerprint("w", dtype="float32", adapter="a"),
        model_fingerprint("w", dtype="float32", revision="a"),
        model_fingerprint("w", dtype="float32", quantization="a"),
    ]
    assert len({base, *others}) == 6


# ── putting and getting ──────────────────────────────────────────────────────

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


# ── processes that die, and processes beside each other ──────────────────────

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


def test_network_file_systems_are_recognised() -> None:
    mounts = textwrap.dedent(
        r"""
        22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
        40 22 0:35 / /data rw,relatime shared:20 - nfs4 server:/export rw
        41 40 0:36 / /data/my\040local rw - xfs /dev/sdb rw
        42 22 0:37 / /bucket rw - fuse.s3fs s3fs rw
        43 22 0:38 / /usb rw - fuseblk /dev/sdc rw
        """
    )
    kinds = {
        "/home/me/results": ("ext4", False),
        "/data/results": ("nfs4", True),
        "/database": ("ext4", False),
        "/data/my local/results": ("xfs", False),
        "/bucket/x": ("fuse.s3fs", True),
        "/usb": ("fuseblk", False),
    }
    for path, (kind, network) in kinds.items():
        found = filesystem_of(Path(path), mounts)
        assert (found, is_network(found)) == (kind, network)
    for kind in ("lustre", "cifs", "beegfs", "gpfs", "9p", "fuse.sshfs"):
        assert is_network(kind)
    assert not is_network(None)


# ── damage ───────────────────────────────────────────────────────────────────

COUNT = 3000


def damage(change: Callable[[bytearray], Any]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        content = bytearray(path.read_bytes())
        changed = change(content)
        path.write_bytes(changed if changed is not None else content)

    return apply


def flip(seed: int, places: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        chance = random.Random(seed)
        for _ in range(places):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)

    return change


def zeros(start: int, end: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        size = len(content)
        content[start % size : (end % size) or size] = bytes(((end % size) or size) - start % size)

    return change


DAMAGES: dict[str, tuple[Callable[[Path], None], int]] = {
    "cut in the middle": (damage(lambda content: content[: len(content) // 2]), COUNT // 4),
    "cut in a page": (damage(lambda content: content[:-1000]), COUNT - 60),
    "one byte at the front": (damage(lambda content: content.__setitem__(5, 0)), COUNT - 60),
    "one byte anywhere": (damage(flip(1, 1)), COUNT - 60),
    "one more byte anywhere": (damage(flip(2, 1)), COUNT - 60),
    "twenty bytes": (damage(flip(3, 20)), COUNT - 600),
    "the first page": (damage(zeros(0, PAGE)), COUNT - 60),
    "the last page": (damage(zeros(-PAGE, 0)), COUNT - 60),
    "ten pages": (damage(zeros(50 * PAGE, 60 * PAGE)), COUNT - 200),
    "a page more": (damage(lambda content: content + bytes(PAGE)), COUNT),
    "nothing left": (damage(lambda content: b""), 0),
    "something else": (damage(lambda content: b"hello" * 1000), 0),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("filled")
    # Some answers are long enough to need several pages.
    with Journal.open(root, run="nano/r1") as journal:
        journal.name_model(KEYER.fingerprint, "nano")
        for number in range(COUNT):
            journal.put(KEYER.key(ask(number)), answer(number, 9000 if number % 50 == 0 else 700))
    return root / ".journal" / "answers.db"


def long_or_short(number: int) -> Generated:
    return answer(number, 9000 if number % 50 == 0 else 700)


@pytest.mark.parametrize("name", list(DAMAGES))
@pytest.mark.parametrize("safe", [False, True], ids=["fast", "safe"])
def test_what_is_intact_survives_damage_and_what_is_not_is_named(
    tmp_path: Path, filled: Path, name: str, safe: bool
) -> None:
    harm, at_least = DAMAGES[name]
    (tmp_path / ".journal").mkdir()
    path = tmp_path / ".journal" / "answers.db"
    path.write_bytes(filled.read_bytes())
    (tmp_path / ".journal" / "answers.db.ok").write_text("[]")
    harm(path)
    found, notices = known(tmp_path, range(COUNT), safe=safe)
    assert len(found) >= at_least
    assert all(found[number] == long_or_short(number) for number in found)
    if len(found) < COUNT:
        assert notices, "what is lost is named"
    with Journal.open(tmp_path, safe=safe) as journal:
        for number in range(COUNT):
            journal.put(KEYER.key(ask(number)), long_or_short(number))
    found, notices = known(tmp_path, range(COUNT), safe=safe)
    assert found == {number: long_or_short(number) for number in range(COUNT)}
    assert notices == []


@pytest.mark.parametrize("seed", range(25))
def test_no_single_flipped_byte_costs_more_than_a_page(tmp_path: Path, filled: Path, seed: int) -> None:
    (tmp_path / ".journal").mkdir()
    path = tmp_path / ".journal" / "answers.db"
    path.write_bytes(filled.read_bytes())
    (tmp_path / ".journal" / "answers.db.ok").write_text("[]")
    damage(flip(100 + seed, 1))(path)
    found, notices = known(tmp_path, range(COUNT))
    assert len(found) >= COUNT - 8
    assert all(found[number] == long_or_short(number) for number in found)
    assert bool(notices) or len(found) == COUNT


@pytest.mark.parametrize("how", ["kept", "cut", "flipped", "first frame", "header", "removed"])
def test_a_damaged_log_costs_only_what_is_damaged(tmp_path: Path, how: str) -> None:
    writer = python(
        """
        journal = Journal.open(Path(sys.argv[1]))
        for number in range(1000):
            journal.put(KEYER.key(ask(number)), answer(number))
            if number % 100 == 99:
                journal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
    )
    writer.communicate()
    log = tmp_path / ".journal" / "answers.db-wal"
    content = bytearray(log.read_bytes())
    assert len(content) > 100 * PAGE
    if how == "removed":
        log.unlink()
    elif how == "cut":
        log.write_bytes(content[: len(content) // 2 + 100])
    else:
        place = {"kept": None, "flipped": len(content) // 3, "first frame": 40, "header": 18}[how]
        if place is not None:
            content[place] ^= 0xFF
        log.write_bytes(content)
    found, notices = known(tmp_path, range(1000))
    assert all(found[number] == answer(number) for number in found)
    assert (
        len(found) >= {"kept": 1000, "flipped": 990, "first frame": 990, "header": 990, "cut": 400, "removed": 0}[how]
    )
    assert bool(notices) == (how != "kept")


def test_a_rebuild_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    fill(tmp_path, range(10))
    path = tmp_path / ".journal" / "answers.db"
    path.rename(path.with_name("answers.db.rebuilt"))
    assert sorted(known(tmp_path, range(10))[0]) == list(range(10))


def test_a_damaged_answer_is_named_and_replaced(tmp_path: Path) -> None:
    fill(tmp_path, range(10))
    with sqlite3.connect(tmp_path / ".journal" / "answers.db") as connection:
        connection.execute(
            'UPDATE answers SET value = CAST(\'{"logprob":-1,"greedy":true}\' AS BLOB) WHERE key = ?',
            [KEYER.key(ask(4))],
        )
    connection.close()
    with Journal.open(tmp_path) as journal:
        found = [item.id for item in journal.get_many((n, KEYER.key(ask(n))) for n in range(10))]
        assert found == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        assert journal.damaged == [4]
        assert "1 kept answer" in journal.notices[0]
        journal.put(KEYER.key(ask(4)), answer(4))
    found_again, notices = known(tmp_path, range(10))
    assert (found_again[4], notices) == (answer(4), [])


def test_a_journal_of_a_newer_evalkit_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, [1])
    path = tmp_path / ".journal" / "answers.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(OutputError, match="newer evalkit"):
        Journal.open(tmp_path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    connection.close()


# ── a full disk ──────────────────────────────────────────────────────────────


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


# ── whose, and what can go ───────────────────────────────────────────────────


def test_stat_says_how_big_and_whose(tmp_path: Path) -> None:
    assert stat(tmp_path).answers == 0
    assert not (tmp_path / ".journal").exists(), "looking makes nothing"
    other = Keyer(model_fingerprint("other"), "test/1")
    with Journal.open(tmp_path, run="nano/r1") as journal:
        journal.name_model(KEYER.fingerprint, "nano")
        for number in range(30):
            journal.put(KEYER.key(ask(number)), answer(number))
        journal.put(other.key(ask(0)), answer(0))
    found = stat(tmp_path)
    assert found.answers == 31
    assert found.bytes >= sum(model.bytes for model in found.models) > 0
    assert [(model.label, model.answers) for model in found.models] == [("nano", 30), ("?", 1)]
    assert found.models[0].fingerprint == KEYER.fingerprint


def test_prune_drops_what_no_run_refers_to(tmp_path: Path) -> None:
    for run, numbers in {"nano/r1": range(600), "nano/r2": range(300, 900), "nano/killed": range(900, 1000)}.items():
        with Journal.open(tmp_path, run=run) as journal:
            list(journal.get_many((n, KEYER.key(ask(n))) for n in numbers))
            for number in numbers:
                journal.put(KEYER.key(ask(number)), answer(number))
            journal.flush()
            if run != "nano/killed":
                journal.run_written()
    assert prune(tmp_path, {"nano/r1", "nano/r2"}).answers == 0
    looked = prune(tmp_path, {"nano/r2"}, dry_run=True)
    assert (looked.answers, looked.kept) == (300, 700)
    assert len(known(tmp_path, range(1000))[0]) == 1000
    done = prune(tmp_path, {"nano/r2"})
    assert (done.answers, done.kept) == (300, 700)
    assert done.bytes_after < done.bytes_before
    assert sorted(known(tmp_path, range(1000))[0]) == list(range(300, 1000))


def test_answers_found_by_a_later_run_are_in_use_by_it(tmp_path: Path) -> None:
    fill(tmp_path, range(10), run="nano/r1")
    with Journal.open(tmp_path, run="nano/r2") as journal:
        list(journal.get_many((n, KEYER.key(ask(n))) for n in range(5)))
        journal.run_written()
    with Journal.open(tmp_path, run="nano/r1") as journal:
        journal.run_written()
    assert prune(tmp_path, {"nano/r2"}).answers == 5
    assert sorted(known(tmp_path, range(10))[0]) == [0, 1, 2, 3, 4]


def test_answers_of_a_shared_pass_stay_while_one_of_its_runs_exists(tmp_path: Path) -> None:
    with Journal.open(tmp_path, run=["base/r", "base+ko/r+ko"]) as journal:
        journal.put(KEYER.key(ask(1)), answer(1))
        journal.flush()
        journal.run_written()
    assert prune(tmp_path, {"base+ko/r+ko"}).answers == 0
    assert prune(tmp_path, {"other/r"}).answers == 1


def test_prune_by_model_and_by_age(tmp_path: Path) -> None:
    other = Keyer(model_fingerprint("other"), "test/1")
    with Journal.open(tmp_path, run="m/r") as journal:
        journal.name_model(KEYER.fingerprint, "nano")
        journal.name_model(other.fingerprint, "other")
        for number in range(10):
            journal.put(KEYER.key(ask(number)), answer(number))
            journal.put(other.key(ask(number)), answer(number))
    assert prune(tmp_path, {"m/r"}, older_than=3600).answers == 0
    with pytest.raises(UnknownModel, match="nano"):
        prune(tmp_path, {"m/r"}, model="nanoo")
    assert prune(tmp_path, {"m/r"}, model="nano").answers == 10
    assert [model.label for model in stat(tmp_path).models] == ["other"]
    assert prune(tmp_path, {"m/r"}, older_than=-3600).answers == 10


def test_a_journal_in_use_is_not_pruned(tmp_path: Path) -> None:
    with Journal.open(tmp_path, safe=False), pytest.raises(OutputError, match="in use"):
        prune(tmp_path, set())


# ── keys of the other kind ───────────────────────────────────────────────────


def test_no_key_reaches_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-4711-abcdef"
    monkeypatch.setenv("SERVICE_API_KEY", canary)
    with Journal.open(tmp_path) as journal:
        journal.put(KEYER.key(ask(1)), Generated(1, f"your key is {canary}", "stop", 5, f"hm {canary}"))
        journal.put_json(KEYER.of_json(1), {"reply": canary})
    for path in (tmp_path / ".journal").iterdir():
        assert canary.encode() not in path.read_bytes()
    assert json.dumps("[SERVICE_API_KEY]")[1:-1].encode() in (tmp_path / ".journal" / "answers.db").read_bytes()
