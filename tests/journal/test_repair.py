"""A damaged journal: what is intact is used, nothing wrong is served, what is lost is named."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import OutputError
from evalkit.journal import Journal
from evalkit.types import Generated
from tests.helpers.journals import KEYER, PAGE, answer, ask, fill, known, python

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


def killed(tmp_path: Path, count: int = 1000) -> Path:
    """A journal whose process was killed, with its answers in the log. Returns the log."""
    python(
        """
        journal = Journal.open(Path(sys.argv[1]))
        for number in range(int(sys.argv[2])):
            journal.put(KEYER.key(ask(number)), answer(number))
        journal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
        count,
    ).communicate()
    return tmp_path / ".journal" / "answers.db-wal"


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda log: log.write_bytes(b""), "answers.db-wal is empty"),
        (lambda log: log.write_bytes(bytes(log.stat().st_size)), "answers.db-wal was overwritten"),
        (lambda log: log.unlink(), "answers.db-wal is missing"),
        (lambda log: log.with_name("answers.db").unlink(), "answers.db is missing beside answers.db-wal"),
    ],
    ids=["emptied log", "log of zeros", "deleted log", "deleted file"],
)
def test_a_file_that_was_deleted_or_emptied_is_named(tmp_path: Path, harm: Callable[[Path], Any], says: str) -> None:
    harm(killed(tmp_path))
    found, notices = known(tmp_path, range(1000))
    assert all(found[number] == answer(number) for number in found)
    assert [says in notice for notice in notices] == [True]
    fill(tmp_path, range(1000))
    assert known(tmp_path, range(1000)) == ({number: answer(number) for number in range(1000)}, [])


@pytest.mark.parametrize("name", ["answers.db", "answers.db-wal"])
def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    fill(tmp_path, range(3))
    (tmp_path / ".journal" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / ".journal" / name)
    with pytest.raises(OutputError, match="a pipe or a device"):
        Journal.open(tmp_path)


def test_a_killed_journal_may_move_to_a_network_file_system(tmp_path: Path) -> None:
    killed(tmp_path)
    found, notices = known(tmp_path, range(1000), safe=True)
    assert (len(found), notices) == (1000, [])


def test_a_write_that_was_cut_short_is_not_called_damage(tmp_path: Path) -> None:
    """What a full disk leaves: the beginning of a frame that was never finished."""
    log = killed(tmp_path)
    log.write_bytes(log.read_bytes() + bytes(700))
    found, notices = known(tmp_path, range(1000))
    assert len(found) == 1000
    assert len(notices) == 1
    assert "ends within a write" in notices[0]
    assert "0 answers" not in notices[0]


@pytest.mark.parametrize("page", [2, 3, 40, 400])
def test_a_damaged_inner_page_serves_nothing_wrong(tmp_path: Path, filled: Path, page: int) -> None:
    (tmp_path / ".journal").mkdir()
    path = tmp_path / ".journal" / "answers.db"
    path.write_bytes(filled.read_bytes())
    damage(zeros((page - 1) * PAGE, page * PAGE))(path)
    found, notices = known(tmp_path, range(COUNT))
    assert all(found[number] == long_or_short(number) for number in found)
    assert len(notices) >= 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), places=st.integers(1, 300))
def test_whatever_is_flipped_nothing_wrong_is_served(
    tmp_path_factory: pytest.TempPathFactory, filled: Path, seed: int, places: int
) -> None:
    root = tmp_path_factory.mktemp("flipped")
    (root / ".journal").mkdir()
    path = root / ".journal" / "answers.db"
    path.write_bytes(filled.read_bytes())
    damage(flip(seed, places))(path)
    found, notices = known(root, range(COUNT))
    assert all(found[number] == long_or_short(number) for number in found)
    assert bool(notices) or len(found) == COUNT
