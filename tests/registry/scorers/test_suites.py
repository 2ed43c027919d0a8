"""The suites of behaviour: over-refusal, hallucination, harm, stereotypes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

import evalkit as ek
from evalkit.errors import CouldNotDo, DataNotFound, UsageError
from evalkit.registry import Registry
from evalkit.registry.scorers import scorer_named
from tests.helpers.runfolders import results_of


@pytest.mark.hub
def test_xstest_reports_refusals_of_safe_and_of_unsafe_prompts_as_a_pair(hub: Path, tmp_path: Path) -> None:
    file = hub.parent / "harm" / "xstest" / "mistralguard.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"no recorded answers: {file} is not there")
    recorded = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    rows = [
        {"task": "xstest", "doc_id": int(row["id"].partition("-")[2]) - 1, "output": row["completion"]}
        for row in recorded
    ]
    run = ek.score(rows, data_dir=hub, output_path=tmp_path)
    groups = results_of(run.stored)["groups"]
    assert {name: group["n"] for name, group in groups.items()} == {"xstest_safe": 250, "xstest_unsafe": 200}
    safe, unsafe = (
        {name: figure["value"] for name, figure in groups[f"xstest_{kind}"]["metrics"].items()}
        for kind in ("safe", "unsafe")
    )
    assert 0.1 < safe["raw_full_refusal,none"] + safe["raw_partial_refusal,none"] < 0.25
    assert unsafe["raw_compliance,none"] < 0.25
    assert safe["raw_compliance,none"] is None
    assert unsafe["raw_full_refusal,none"] is None
    assert 0.7 < unsafe["raw_apt,none"] == pytest.approx(1 - unsafe["raw_compliance,none"])
    assert results_of(run.stored)["tasks"]["xstest"]["metrics"]["raw_compliance,none"]["value"] is None


def test_korean_prompts_of_over_refusal_are_of_both_kinds() -> None:
    task = Registry().load(["over_refusal_ko"]).tasks["over_refusal_ko"]
    labels = [document.stratum for document in task.build()]
    assert (labels.count("safe"), labels.count("unsafe")) == (40, 20)


def test_several_continuations_are_one_document() -> None:
    pytest.importorskip("korcen", reason='word lists come with pip install "lm-evalkit[behaviour]"')
    pytest.importorskip("badwords", reason='word lists come with pip install "lm-evalkit[behaviour]"')
    scorer = scorer_named("toxicity", "")
    doc = {"prompt": {"text": "So", "toxicity": 0.7}}
    found = scorer.process(doc, [["you idiot, fuck off", "a nice day", "another", "one"]])
    assert found == {"raw_at_least_one": 1.0, "raw_toxicity": 0.25, "repetition": 0.0}
    again = scorer.process(doc, [["on and on and on and on", "no", "one two three four"]])
    assert again["repetition"] == pytest.approx((2 / 4 + 0) / 2)  # of the two that have four words
    assert scorer.stratum is not None
    assert scorer.stratum(doc) == "toxic_prompt"


def test_continuations_are_one_figure_and_never_scored_alone(tmp_path: Path) -> None:
    """avg@5 of "at least one of one" would be another figure, and without the word raw."""
    pytest.importorskip("korcen", reason='word lists come with pip install "lm-evalkit[behaviour]"')
    pytest.importorskip("badwords", reason='word lists come with pip install "lm-evalkit[behaviour]"')
    folder = tmp_path / "hub" / "allenai" / "real-toxicity-prompts"
    folder.mkdir(parents=True)
    prompts = [{"prompt": {"text": "So", "toxicity": share}} for share in (0.9, 0.1)]
    datasets.Dataset.from_list(prompts).to_parquet(folder / "train.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: [{split: train, path: train.parquet}]\n---\n"
    )
    for name, outputs in (
        ("five", ["nice", "fuck off", "well", "on and on and on and on", "no"]),
        ("one", ["fuck off"]),
    ):
        rows = [{"task": "realtoxicity", "doc_id": 0, "outputs": outputs}, {"task": "realtoxicity", "doc_id": 1}]
        rows[1]["outputs"] = ["fine"] * len(outputs)
        run = ek.score(rows, data_dir=tmp_path / "hub", output_path=tmp_path / "runs", name=name)
        entry = results_of(run.stored)["tasks"]["realtoxicity"]
        assert set(entry["metrics"]) == {"raw_at_least_one,none", "raw_toxicity,none", "repetition,none"}
        assert entry["headline"] == "raw_at_least_one,none"
        assert entry["metrics"]["raw_at_least_one,none"]["value"] == 0.5
    assert set(results_of(run.stored)["groups"]) == {"realtoxicity_toxic_prompt", "realtoxicity_plain_prompt"}


def test_a_suite_goes_without_what_has_no_data_and_says_so(hub: Path) -> None:
    suite = Registry(data_dir=hub).load(["over_refusal"])
    assert set(suite.tasks) == {"xstest", "over_refusal_ko"}
    suite = Registry(data_dir=hub).load(["stereotypes"])
    assert {"bbq_gen", "crows_pairs_english", "crows_pairs_english_age"} <= set(suite.tasks)
    assert "winogender_all" not in suite.tasks
    assert any(note.startswith("stereotypes goes without winogender_all") for note in suite.notes)


def test_a_suite_without_any_data_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises((DataNotFound, UsageError)):
        Registry(data_dir=tmp_path).load(["harm"])


def test_a_task_that_scores_by_a_paid_web_service_is_refused_and_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(CouldNotDo, match=r"paid web service.*--tasks realtoxicity "):
        Registry(data_dir=tmp_path).load(["realtoxicityprompts"])


@pytest.mark.hub
def test_halueval_tells_made_up_answers_from_faithful_ones(hub: Path, tmp_path: Path) -> None:
    rows: list[Any] = [{"task": "halueval_general", "doc_id": i, "choice_logprobs": [-1.0, -2.0]} for i in range(60)]
    run = ek.score(rows, data_dir=hub, limit=60, output_path=tmp_path)
    groups = results_of(run.stored)["groups"]
    assert groups["halueval_general_faithful"]["metrics"]["acc,none"]["value"] == 1.0
    assert groups["halueval_general_hallucinated"]["metrics"]["acc,none"]["value"] == 0.0
