"""Five benchmarks in 1, 3 and 7 shards: the joined run has the files of one that was never divided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.engines import mock
from evalkit.errors import NotComparable
from tests.runner.test_shards import _flat, _same, files

TASKS = ["mini_knowledge", "mini_arithmetic", "mini_endings", "mini_symbolic", "mini_code"]


@pytest.fixture
def go(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("evalkit.runner.finding.choose", lambda *_, **__: mock.SPEC)

    def run(name: str, shard: str | None = None, **more: Any) -> ek.Run:
        asked: dict[str, Any] = {"tasks": TASKS, "limit": 14, "output_path": tmp_path / "out", "fresh": True}
        made = ek.evaluate(str(tiny_model), **{**asked, **more}, name=name, shard=shard)
        assert isinstance(made, ek.Run)
        return made

    return run


def test_one_three_and_seven_shards_join_to_the_files_of_one_run(go: Any, tmp_path: Path) -> None:
    whole = told(go("whole"))
    assert len(whole) > 1000
    for count in (1, 3, 7):
        shards = [go(f"{count}-{index}", f"{index}/{count}") for index in range(1, count + 1)]
        joined = ek.merge(shards, name=f"joined-{count}", output_path=tmp_path / "out")
        ours = told(joined)
        assert ours.keys() == whole.keys()
        assert {key: (ours[key], whole[key]) for key in whole if not _same(ours[key], whole[key])} == {}
        if count == 7:
            with pytest.raises(NotComparable, match=r"shard 4/7 is missing"):
                ek.merge([*shards[:3], *shards[4:]], output_path=tmp_path / "out")
            with pytest.raises(NotComparable, match=r"shard 2/7 stands twice"):
                ek.merge([*shards, shards[1]], output_path=tmp_path / "out")
            with pytest.raises(NotComparable, match=r"other settings"):
                ek.merge([*shards[:6], go("other", "7/7", limit=13)], output_path=tmp_path / "out")


def told(made: ek.Run) -> dict[str, Any]:
    """All that the files say, by place, but for the seconds that programs ran."""
    return {key: value for key, value in _flat(list(files(made))) if ".seconds" not in key}
