"""Shards of a run: each document in one of them, prefix groups whole, and the joined run equal to an unsharded one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError, NotComparable, UsageError
from evalkit.parsing import Shard, parse_shard

TASKS = {
    "sums": """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: ["yes", "no"]
doc_to_target: "{{a}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "says": """\
task: says
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "yes"
generation_kwargs: {until: ["\\n"], max_gen_toks: 4}
metric_list: [{metric: exact_match}]
""",
    "both": "group: both\ntask: [sums, says]\naggregate_metric_list: [{metric: acc, weight_by_size: true}]\n",
}
TIMED = ("created", "finished", "command", "name", "run_id", "timing", "tokens")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    made = tmp_path_factory.mktemp("shards")
    for name, content in TASKS.items():
        (made / f"{name}.yaml").write_text(content)
    rows = [{"q": f"Group {n // 12}. " * 40 + f"Is {n} even?", "a": n % 2} for n in range(36)]
    (made / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


def run(folder: Path, model: Path, name: str, shard: str | None = None, **more: Any) -> ek.Run:
    asked = {"tasks": ["both"], "include_path": folder, "output_path": folder / "out", "engine": "hf", "device": "cpu"}
    made = ek.evaluate(str(model), **{**asked, **more}, name=name, shard=shard, fresh=True)
    assert isinstance(made, ek.Run)
    return made


@pytest.fixture(scope="module")
def whole(folder: Path, tiny_model: Path) -> ek.Run:
    return run(folder, tiny_model, "whole")


@pytest.fixture(scope="module")
def shards(folder: Path, tiny_model: Path) -> list[ek.Run]:
    return [run(folder, tiny_model, f"s{index}", f"{index}/3") for index in (1, 2, 3)]


def files(made: ek.Run) -> tuple[dict[str, Any], dict[str, Any], dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Manifest, results, rows and score table, without what differs from run to run."""
    manifest, results = (json.loads((made.path / name).read_text()) for name in ("manifest.json", "results.json"))
    rows = {
        file.name: [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((made.path / "samples").iterdir())
    }
    for part in (manifest, results):
        for key in TIMED:
            part.pop(key, None)
    return manifest, results, rows, made.scores().to_dict("records")


def test_three_shards_join_to_the_files_of_one_run(folder: Path, whole: ek.Run, shards: list[ek.Run]) -> None:
    joined = ek.merge(list(reversed(shards)), name="joined", include_path=folder, output_path=folder / "out")
    assert joined.status == "complete"
    for ours, theirs in zip(files(joined), files(whole), strict=True):
        here, there = dict(_flat(ours)), dict(_flat(theirs))
        assert len(here) > 5
        assert here.keys() == there.keys()
        different = {key: (here[key], there[key]) for key in here if not _same(here[key], there[key])}
        assert not different


def _flat(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in _flat(inner, f"{key}.{name}")]
    if isinstance(value, list):
        return [
            (f"{key}.n", len(value)),
            *(pair for n, inner in enumerate(value) for pair in _flat(inner, f"{key}.{n}")),
        ]
    return [(key, value)]


def _same(a: Any, b: Any) -> bool:
    """Equal, or numbers that differ as another batch rounds."""
    try:
        return a == b or (a != a and b != b) or abs(float(a) - float(b)) <= 1e-4
    except (TypeError, ValueError):
        return False


def test_each_document_is_in_one_shard_and_groups_are_whole(shards: list[ek.Run]) -> None:
    held = [set(shard.samples("sums")["doc_id"]) for shard in shards]
    assert sorted(doc_id for docs in held for doc_id in docs) == list(range(36))
    assert all(shard.status == "partial" for shard in shards)
    split = [{doc_id // 12 for doc_id in docs} for docs in held]
    assert sum(map(len, split)) <= 3 + 2  # three prefix groups; one that is larger than a share is divided


def test_wrong_sets_of_shards_are_refused_with_their_names(
    folder: Path, tiny_model: Path, whole: ek.Run, shards: list[ek.Run]
) -> None:
    options: dict[str, Any] = {"include_path": folder, "output_path": folder / "out"}
    with pytest.raises(NotComparable, match=r"shard 3/3 is missing"):
        ek.merge(shards[:2], **options)
    with pytest.raises(NotComparable, match=r"shards 2/3, 3/3 are missing"):
        ek.merge(shards[:1], **options)
    with pytest.raises(NotComparable, match=r"shard 1/3 stands twice: .*s1 and .*s1"):
        ek.merge([shards[0], *shards], **options)
    with pytest.raises(NotComparable, match=r"whole is no shard"):
        ek.merge([*shards, whole], **options)
    other = run(folder, tiny_model, "other", "3/3", limit=30)
    with pytest.raises(NotComparable, match=r"other was made with other settings than .*s1: limit"):
        ek.merge([*shards[:2], other], **options)
    with pytest.raises(UsageError, match="give the runs of all shards"):
        ek.merge([], **options)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("last", r"lacks .* rows that its scores\.parquet has"),
        ("all", r"lacks .* rows that its scores\.parquet has"),
        ("{}\n", r"s2: \w+ has a row that evalkit did not write \(no 'doc_id'\)"),
        ('{"doc_id": "x", "filter": 1}\n', r"s2: \w+ has a row that evalkit did not write \(invalid literal"),
    ],
)
def test_a_shard_without_its_rows_is_refused(
    folder: Path, shards: list[ek.Run], tmp_path: Path, spoil: str, says: str
) -> None:
    copy = shutil.copytree(shards[1].path, tmp_path / "s2")
    for file in (copy / "samples").iterdir():
        lines = file.read_text().splitlines(keepends=True)
        file.unlink()
        if spoil == "last":
            file.write_text("".join(lines[:-1]))
        elif spoil != "all":
            file.write_text(spoil)
    with pytest.raises(EvalkitError, match=says):
        ek.merge([shards[0], copy, shards[2]], name="lost", include_path=folder, output_path=tmp_path / "out")


def test_several_answers_per_document_keep_their_figures(folder: Path, tiny_model: Path) -> None:
    sampled: dict[str, Any] = {
        "tasks": ["says"],
        "limit": 12,
        "repeats": 3,
        "gen_kwargs": {"temperature": 1.0, "do_sample": True},
    }
    parts = [run(folder, tiny_model, f"r{index}", f"{index}/2", **sampled) for index in (1, 2)]
    joined = ek.merge(parts, name="repeated", include_path=folder, output_path=folder / "out")
    metrics = json.loads((joined.path / "results.json").read_text())["tasks"]["says"]["metrics"]
    assert {"avg@3,none", "maj@3,none", "pass@2,none"} <= set(metrics)
    assert metrics["avg@3,none"]["value"] is not None
    scores = [score for made in parts for row in files(made)[2]["says.jsonl"] for score in row["scores"]]
    assert metrics["avg@3,none"]["value"] == pytest.approx(sum(scores) / 36)


def test_more_shards_than_documents_join_too(folder: Path, tiny_model: Path) -> None:
    few = [run(folder, tiny_model, f"f{index}", f"{index}/3", tasks=["sums"], limit=2) for index in (1, 2, 3)]
    joined = ek.merge(few, name="few", include_path=folder, output_path=folder / "out")
    assert joined.status == "limited"
    assert len(joined.samples("sums")) == 2


@pytest.mark.parametrize("typed", ["0/3", "4/3", "1", "a/b", "1/", "-1/3", "1/0"])
def test_odd_shards_are_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(typed)


def test_a_slurm_array_without_gaps_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ID", "12"), ("MIN", "10"), ("MAX", "14"), ("COUNT", "5")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert parse_shard("slurm") == Shard(3, 5)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "4")
    with pytest.raises(UsageError, match="has gaps"):
        parse_shard("slurm")
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID is not set"):
        parse_shard("slurm")
