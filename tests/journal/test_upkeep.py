"""How big a journal is, whose answers it holds, and what can go."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import OutputError, UnknownModel
from evalkit.journal import Journal, Keyer, prune, stat
from evalkit.models.fingerprint import model_fingerprint
from tests.helpers.journals import KEYER, answer, ask, fill, known


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


def test_a_journal_in_a_folder_of_its_own_serves_several_results_folders(tmp_path: Path) -> None:
    shared = tmp_path / "answers"
    for number, root in enumerate((tmp_path / "a", tmp_path / "b")):
        (root / "m" / "r").mkdir(parents=True)
        with Journal.open(root, run="m/r", folder=shared) as journal:
            journal.put(KEYER.key(ask(number)), answer(number))
            journal.flush()
            journal.run_written()
    assert not list(tmp_path.glob("*/.journal"))
    assert stat(tmp_path / "a", {"m/r"}, folder=shared).answers == 2
    assert prune(tmp_path / "a", {"m/r"}, folder=shared).answers == 0, "the other folder's run is there"
    (tmp_path / "b" / "m" / "r").rmdir()
    assert prune(tmp_path / "a", {"m/r"}, folder=shared).answers == 1
