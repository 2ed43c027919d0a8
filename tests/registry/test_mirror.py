"""Documents from a mirror, and what is said where they are missing or broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import DataNotFound
from evalkit.registry import (
    DataSource,
    Registry,
    check_data,
    pull_data,
)
from evalkit.registry.data import mirror_configs


@pytest.mark.hub
def test_check_counts_what_a_mirror_serves(hub: Path) -> None:
    served = {item.benchmark: item for item in check_data(hub)}
    wanted = {"mmlu": 14042, "hellaswag": 10042, "gsm8k": 1319, "bbh": 6511, "humaneval": 164}
    assert {name: served[name].documents for name in wanted} == wanted
    assert served["mmlu"].configs == 57


@pytest.mark.hub
def test_a_pulled_mirror_gives_the_same_documents(hub: Path, tmp_path: Path) -> None:
    names = ["gsm8k", "mmlu_anatomy", "humaneval"]
    pulled = list(pull_data(names, tmp_path, DataSource(hub)))
    assert [item.rows for item in pulled] == [8792, 154, 164]
    before, after = (Registry(data_dir=folder).load(names).tasks for folder in (hub, tmp_path))
    for name in names:
        mirrored = [(d.doc_hash, d.prompt_hash) for d in after[name].build(20)]
        assert mirrored == [(d.doc_hash, d.prompt_hash) for d in before[name].build(20)]
    served = {item.benchmark: item for item in check_data(tmp_path)}
    assert served["gsm8k"].documents == 1319
    assert served["mmlu"].documents is None
    assert "abstract_algebra" in str(served["mmlu"].problem)


@pytest.mark.hub
def test_half_a_parquet_file_is_named(hub: Path, tmp_path: Path) -> None:
    list(pull_data(["gsm8k"], tmp_path, DataSource(hub)))
    broken = next(tmp_path.glob("openai/gsm8k/main/test-*.parquet"))
    broken.write_bytes(broken.read_bytes()[:1000])
    assert broken.name in str({item.benchmark: item.problem for item in check_data(tmp_path)}["gsm8k"])
    with pytest.raises(DataNotFound, match=r"gsm8k: .* is broken or half-copied .* evalkit data pull gsm8k"):
        Registry(data_dir=tmp_path).load(["gsm8k"])


def test_data_in_neither_place_is_one_line_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match=r"openai/gsm8k \(main\) not found: .*evalkit data pull gsm8k --to DIR"):
        Registry(data_dir=tmp_path).load(["gsm8k"])
    with pytest.raises(DataNotFound, match="no such folder"):
        Registry(data_dir=tmp_path / "none").load(["gsm8k"])


@pytest.mark.parametrize(
    "front",
    ["configs: 5", "configs: [1, {data_files: 7}, {data_files: [[1]]}]", "[1]", "configs: {a: b}", "a: &a [*a]"],
)
def test_an_odd_readme_of_a_mirror_declares_nothing(tmp_path: Path, front: str) -> None:
    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n")
    assert not any(mirror_configs(tmp_path).values())


def test_a_readme_that_stands_for_billions_of_values_is_not_read(tmp_path: Path) -> None:
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    (tmp_path / "README.md").write_text(f"---\na0: &a0 [x, x]\n{bomb}configs: *a11\n---\n")
    assert mirror_configs(tmp_path) == {}
