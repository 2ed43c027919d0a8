"""The index of lm-eval's names: the same as its own, built once, and right whatever lies in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from evalkit.errors import ConfigError
from evalkit.registry import Registry, taskindex
from evalkit.registry.taskindex import Listing, builtin_folder, builtin_index, index_folder

KINDS = {"TASK": "task", "PY_TASK": "class", "GROUP": "group", "TAG": "tag"}
COUNTING = """
import sys
from evalkit.registry import taskindex
built, build = [], taskindex.index_folder
taskindex.index_folder = lambda *args: built.append(1) or build(*args)
index = taskindex.builtin_index()
print(len(built), len(index), index["arc_easy"].file, "lm_eval" in sys.modules)
"""
NAMES = 10_000


def forget() -> None:
    taskindex._built.cache_clear()
    taskindex._kept.cache_clear()


@pytest.fixture(scope="module")
def whole() -> dict[str, Listing]:
    folder = builtin_folder()
    assert folder is not None
    return index_folder(folder)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    return tmp_path / "cache" / "evalkit"


@pytest.fixture
def built(whole: dict[str, Listing], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each folder that is indexed from its files, which takes no time here."""
    folders: list[Path] = []

    def index(root: Path, tasks: Path | None = None) -> dict[str, Listing]:
        folders.append(root)
        return whole

    monkeypatch.setattr(taskindex, "index_folder", index)
    return folders


def test_names_kinds_files_and_tags_are_those_of_lm_evals_own_index(whole: dict[str, Listing]) -> None:
    from evalkit.registry.lmeval.index import BUILTIN_TASKS, TaskIndex

    theirs = TaskIndex.build([BUILTIN_TASKS])
    assert len(theirs) > NAMES
    assert list(whole) == list(theirs)
    for name, entry in theirs.items():
        file = None if entry.yaml_path is None else str(entry.yaml_path.relative_to(BUILTIN_TASKS))
        mine = whole[name]
        assert (mine.name, mine.kind, mine.file, mine.tags) == (entry.name, KINDS[entry.kind.name], file, entry.tags)
        for key in ("num_fewshot", "unsafe_code"):
            assert mine.facts.get(key) == (entry.cfg or {}).get(key), name


def test_odd_files_are_skipped_as_lm_eval_does(tmp_path: Path) -> None:
    from evalkit.registry.lmeval.index import TaskIndex

    files = {
        "_base": "tag: [shared, base]\nnum_fewshot: 3\ntask_list: [x]\n",
        "a.yaml": "include: _base\ntask: one\nprocess_docs: !function utils.f\n",
        "b.yaml": "task: one\n",
        "c.yaml": "include: c.yaml\ntask: circle\n",
        "d.yaml": "include: missing.yaml\ntask: lost\n",
        "e.yaml": "- no mapping\n",
        "f.yaml": "task: [unclosed\n",
        "g.yaml": "group: many\ntag: shared\ntask: [one]\n",
        "h.yaml": "class: !function utils.Class\ntask: own_class\ntag: shared\n",
        "i.yaml": "include: [_base, _base]\ntask: twice\n",
        "j.yaml": "output_type: generate_until\n",
        "k.yaml": "task: shared\n",
        "l.yaml": "group: [a, b]\n",
        "m.yaml": "task: odd\nx: !!python/object:os.system {}\n",
        "sub/n.yaml": "<<: {include: ../_base}\ntask: merged\n",
        "__pycache__/o.yaml": "task: cached\n",
        "p.yaml": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    theirs = TaskIndex.build([tmp_path])
    ours = index_folder(tmp_path)
    assert {name: (KINDS[entry.kind.name], entry.tags) for name, entry in theirs.items()} == {
        name: (listing.kind, listing.tags) for name, listing in ours.items()
    }
    assert {"one", "many", "own_class", "merged", "shared"} <= set(ours)
    assert ours["one"].facts == {"num_fewshot": 3}


def test_the_next_process_does_not_build_it(cache: Path) -> None:
    runs = [
        subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert [run[0] for run in runs] == ["1", "0"]
    assert runs[0][1:] == runs[1][1:]
    assert runs[0][2:] == ["arc/arc_easy.yaml", "False"]
    assert int(runs[0][1]) > NAMES
    assert len(list(cache.iterdir())) == 1


def test_two_processes_at_once_leave_one_whole_file(cache: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", COUNTING], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].split() for process in both]
    assert said[0][1:] == said[1][1:]
    assert len(list(cache.iterdir())) == 1
    third = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, text=True, check=True)
    assert third.stdout.split()[0] == "0"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"arc_easy", b"arc_eesy"),
        lambda content: b"null",
        lambda content: b"\xff" * 100,
        lambda content: content.partition(b"\n")[2],
    ],
    ids=["emptied", "cut", "one name changed", "other JSON", "no text", "no digest"],
)
def test_a_damaged_file_is_built_anew(
    cache: Path, built: list[Path], whole: dict[str, Listing], damage: object
) -> None:
    assert builtin_index() == whole
    [file] = cache.iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content))  # type: ignore[operator]
    forget()
    assert builtin_index() == whole
    assert len(built) == 2
    assert file.read_bytes() == content
    forget()
    assert builtin_index() == whole
    assert len(built) == 2


def test_another_version_has_a_file_of_its_own(
    cache: Path, built: list[Path], whole: dict[str, Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    builtin_index()
    stamp = taskindex._stamp
    other = {"other": Listing("other", "task", "other.yaml")}
    with monkeypatch.context() as patch:
        patch.setattr(taskindex, "_stamp", lambda folder: f"another {stamp(folder)}")
        patch.setattr(taskindex, "index_folder", lambda *args: other)
        forget()
        assert builtin_index() == other
    forget()
    assert builtin_index() == whole
    assert len(built) == 1
    assert len(list(cache.iterdir())) == 2


def test_the_stamp_changes_with_version_place_and_content_and_a_checkout_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        version = "1"
        files: ClassVar = {"RECORD": "a.py,sha256=1,1\n"}

        def read_text(self, name: str) -> str | None:
            return self.files.get(name)

    monkeypatch.setattr(taskindex.importlib.metadata, "distribution", lambda name: Installed())
    stamps = [taskindex._stamp(tmp_path)]
    os.utime(tmp_path, ns=(1, 1))
    stamps.append(taskindex._stamp(tmp_path))
    Installed.files["RECORD"] = "a.py,sha256=2,1\n"
    stamps.append(taskindex._stamp(tmp_path))
    Installed.version = "2"
    stamps.append(taskindex._stamp(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    stamps.append(taskindex._stamp(tmp_path / "elsewhere"))
    assert None not in stamps
    assert len(set(stamps)) == 5
    Installed.files["direct_url.json"] = '{"url": "file:///src", "dir_info": {"editable": true}}'
    assert taskindex._stamp(tmp_path) is None


def test_only_the_newest_files_stay(cache: Path, built: list[Path]) -> None:
    cache.mkdir(parents=True)
    for number in range(6):
        (cache / f"tasks-{number}.json").write_text("old")
        os.utime(cache / f"tasks-{number}.json", (number, number))
    (cache / "fingerprints.json").write_text("{}")
    builtin_index()
    left = sorted(file.name for file in cache.iterdir())
    assert len(left) == 5
    assert {"tasks-5.json", "tasks-4.json", "tasks-3.json", "fingerprints.json"} < set(left)


def test_a_cache_that_cannot_be_written_costs_time_only(
    cache: Path, built: list[Path], whole: dict[str, Listing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert builtin_index() == whole
    assert builtin_index() == whole
    assert len(built) == 1


def test_the_shipped_benchmarks_need_their_own_folders_alone(cache: Path) -> None:
    """Nothing is written, and every member of every benchmark is there."""
    registry = Registry()
    for name in registry.cards:
        manager, _ = registry.manager([name])
        assert len(manager.index) < 1000
        waiting, seen = [name], set()
        while waiting:
            entry = manager.index[waiting.pop()]
            if entry.name in seen:
                continue
            seen.add(entry.name)
            if entry.kind.name == "GROUP":
                from evalkit.registry.lmeval.index import load_yaml

                members = load_yaml(entry.yaml_path, resolve_func=False)["task"]
                waiting += [one if isinstance(one, str) else one.get("task") or one["group"] for one in members]
            waiting += entry.tags if entry.kind.name == "TAG" else ()
    assert not cache.exists()


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"a": "group: a\ntask: [b]\n", "b": "group: b\ntask: [{group: a}]\n"}, "a → b → a"),
        ({"a": "group: a\ntask: [{group: inline, task: [a]}]\n"}, "a → a"),
        ({"a": "group: a\ntask: [{task: a, num_fewshot: 2}]\n"}, "a → a"),
    ],
)
def test_a_group_that_holds_itself_is_one_line(tmp_path: Path, files: dict[str, str], way: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"group a is a member of itself \\({way}\\)"):
        Registry([tmp_path]).load(["a"])


def test_one_member_may_be_written_without_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("group: a\ntask: mini_knowledge\n")
    assert Registry([tmp_path]).load(["a"]).leaves("a") == ("mini_knowledge",)
