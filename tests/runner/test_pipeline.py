"""The corridor end to end: what a run asks, keeps, writes and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines.spec import find_spec
from evalkit.errors import CheckpointError, UsageError
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.runner import Outcome, run
from tests.helpers.checkpoints import break_checkpoint, make_checkpoint
from tests.helpers.listening import Heard
from tests.helpers.runfolders import results_of


@pytest.fixture(scope="module")
def nan_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In shards, of which the first holds nothing that every token passes."""
    folder = tmp_path_factory.mktemp("models")
    return break_checkpoint(make_checkpoint(folder / "whole", shards=3), folder / "nan", "nan")


def test_a_run_holds_all_that_the_contract_names(corridor: Callable[..., list[Outcome]]) -> None:
    (outcome,) = corridor()
    assert outcome.exit_code == 0
    there = {str(path.relative_to(outcome.path)) for path in outcome.path.rglob("*") if path.is_file()}
    assert there == {
        "manifest.json",
        "results.json",
        "scores.parquet",
        "report.md",
        "samples/mini_knowledge.jsonl",
        "samples/mini_arithmetic.jsonl",
    }
    results = json.loads((outcome.path / "results.json").read_text())
    assert results["status"] == "limited"
    assert results["requested"] == ["mini_knowledge", "mini_arithmetic"]
    assert set(results["timing"]) == {"load", "build", "inference", "scoring", "total", "own_share"}
    assert results["timing"]["own_share"] == 1.0
    assert set(results["tokens"]) == {"prompt", "computed", "cached", "unique", "generated"}
    task = results["tasks"]["mini_knowledge"]
    assert (task["n"], task["missing"], task["errors"]) == (30, 0, 0)
    assert set(task["metrics"]["acc,none"]) == {"value", "stderr", "ci95", "higher_is_better"}
    manifest = json.loads((outcome.path / "manifest.json").read_text())
    assert manifest["model"]["fingerprint"]
    assert manifest["seeds"] == {"random": 0, "numpy": 1234, "torch": 1234, "fewshot": 1234}
    assert {"version", "num_fewshot", "data_hash", "prompts_hash"} <= set(manifest["tasks"]["mini_knowledge"])
    assert manifest["chat_template"]["applied"] is False
    rows = [json.loads(line) for line in (outcome.path / "samples" / "mini_arithmetic.jsonl").read_text().splitlines()]
    assert [row["doc_id"] for row in rows] == sorted(row["doc_id"] for row in rows)
    assert {"doc", "target", "arguments", "resps", "filtered_resps", "finish", "cut_tokens", "unparsed"} <= set(rows[0])


def test_a_metric_that_raises_is_recorded_with_its_document(
    corridor: Callable[..., list[Outcome]], tmp_path: Path
) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "data.jsonl").write_text("".join(json.dumps({"q": f"q{i}", "a": str(i)}) + "\n" for i in range(6)))
    (folder / "code.py").write_text(
        "def process_results(doc, results):\n"
        "    if doc['a'] == '3': raise ValueError('three is too many')\n"
        "    return {'exact_match': 0.0}\n"
    )
    (folder / "fragile.yaml").write_text(
        "task: fragile\ndataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\ntest_split: test\n"
        "output_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n"
        "process_results: !function code.process_results\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
        "generation_kwargs: {until: ['\\n'], max_gen_toks: 8}\n"
    )
    asked = {"tasks": "fragile", "include_path": str(folder), "limit": None}
    (outcome,) = corridor(**asked, allow_task_code=True)
    assert outcome.exit_code == 4
    assert results_of(outcome)["status"] == "incomplete"
    assert (results_of(outcome)["tasks"]["fragile"]["n"], results_of(outcome)["tasks"]["fragile"]["errors"]) == (5, 1)
    rows = [json.loads(line) for line in (outcome.path / "samples" / "fragile.jsonl").read_text().splitlines()]
    assert "three is too many" in rows[3]["error"]


def test_an_adapter_gets_a_run_of_its_own_beside_the_base(
    corridor: Callable[..., list[Outcome]], tiny_adapters: tuple[Path, Path]
) -> None:
    base, adapted = corridor(adapter=f"ko={tiny_adapters[0]}", name="pair")
    assert (base.path.name, adapted.path.name) == ("pair", "pair+ko")
    assert adapted.path.parent.name == f"{base.path.parent.name}+ko"
    manifest = json.loads((adapted.path / "manifest.json").read_text())
    assert manifest["adapter"]["name"] == "ko"
    assert results_of(base)["tasks"] != results_of(adapted)["tasks"]
    assert results_of(adapted)["tokens"]["computed"]["value"] is None
    assert "shared one pass" in results_of(adapted)["tokens"]["computed"]["reason"]


def test_several_models_make_a_run_each(
    corridor: Callable[..., list[Outcome]], tiny_model: Path, tiny_chat_model: Path
) -> None:
    outcomes = corridor(model=f"{tiny_model},{tiny_chat_model}", name="both")
    assert len({outcome.path for outcome in outcomes}) == 2
    assert all(outcome.path.name.startswith("both+") for outcome in outcomes)


def test_a_sampled_answer_is_kept_and_found_again(corridor: Callable[..., list[Outcome]]) -> None:
    asked = {"tasks": "mini_arithmetic", "gen_kwargs": "do_sample=true,temperature=0.7"}
    (first,) = corridor(**asked, name="first")
    (second,) = corridor(**asked, name="second")
    assert results_of(second)["tasks"] == results_of(first)["tasks"]
    assert results_of(second)["tokens"] == {"prompt": 0, "computed": 0, "cached": 0, "unique": 0, "generated": 0}


def test_an_instruct_model_without_its_template_is_warned_of_once(
    corridor: Callable[..., list[Outcome]], tiny_chat_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my-7b-instruct"
    folder.symlink_to(tiny_chat_model, target_is_directory=True)
    heard = Heard()
    corridor(heard, model=str(folder), tasks="mini_knowledge", limit=2)
    assert [note for note in heard.notes if "--apply-chat-template" in note] == [
        f"{folder} is an instruct model, run without its chat template; --apply-chat-template uses it"
    ]
    heard = Heard()
    corridor(heard, model=str(folder), tasks="mini_knowledge", limit=2, apply_chat_template="true")
    assert not [note for note in heard.notes if "template" in note]


def test_fresh_asks_again_what_is_kept(corridor: Callable[..., list[Outcome]]) -> None:
    (first,) = corridor(name="first")
    (second,) = corridor(name="second", fresh=True)
    assert results_of(second)["tokens"]["prompt"] == results_of(first)["tokens"]["prompt"] > 0


def kept_under(model: Path, engine: str = "hf", **asked: Any) -> str:
    config = RunConfig.build(model=str(model), tasks="mini", engine=engine, **asked)
    return find_spec(engine).find_model(config.model[0], config.model_args, config.trust_remote_code).key(None)


def test_a_folder_has_no_revisions(tiny_model: Path) -> None:
    assert kept_under(tiny_model, model_args="revision=main") == kept_under(tiny_model)
    for model in (str(tiny_model), "nano"):
        with pytest.raises(UsageError, match="revision=v1"):
            kept_under(Path(model), model_args="revision=v1")


def test_a_model_of_nans_is_counted_stamped_and_never_scored(nan_model: Path, tmp_path: Path) -> None:
    asked = {"model": str(nan_model), "tasks": "mini_knowledge,mini_arithmetic", "limit": 2, "output_path": tmp_path}
    [outcome] = run(RunConfig.build(**asked, engine="hf", device="cpu"), Progress(), report)
    assert outcome.exit_code == 4
    assert {name: task["errors"] for name, task in results_of(outcome)["tasks"].items()} == {
        "mini_knowledge": 2,
        "mini_arithmetic": 2,
    }
    figures = [figure for task in results_of(outcome)["tasks"].values() for figure in task["metrics"].values()]
    assert all(figure["value"] is None and figure["reason"] for figure in figures)
    shown = (outcome.path / "report.md").read_text()
    assert "LIMITED  INCOMPLETE" in shown
    assert "2 of 2 documents that raised an error" in shown


def test_answers_are_shared_whatever_the_pace(tiny_model: Path) -> None:
    plain = kept_under(tiny_model)
    assert kept_under(tiny_model, model_args="batch_size=4,parallelize=true,max_model_len=128,device=cpu") == plain
    paces = "batch_size=4,tensor_parallel_size=2,gpu_memory_utilization=0.5,max_num_seqs=8,max_model_len=128,device=cpu"
    assert kept_under(tiny_model, "vllm", model_args=paces) == kept_under(tiny_model, "vllm") == plain
    assert kept_under(tiny_model, batch_size="8", name="x", limit="5", num_fewshot=2, seed="7") == plain


@pytest.mark.parametrize(
    "changed",
    ["dtype=bfloat16", "dtype=float32", "torch_dtype=float16", "quantization=fp8", "rope_theta=1000", "tokenizer=x",
     "bnb_4bit_quant_type=nf4", "variant=fp16", "load_format=dummy", "unheard_of=1"],
)  # fmt: skip
def test_no_two_ways_to_load_a_model_share_an_answer(tiny_model: Path, changed: str) -> None:
    # What `auto` makes of this float32 checkpoint is each engine's own choice, so it is not float32 either.
    assert kept_under(tiny_model, model_args=changed) != kept_under(tiny_model)


def test_the_room_looked_for_holds_the_answers_and_the_prompts(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[int] = []
    monkeypatch.setattr("evalkit.runner.answering.check_space", lambda root, needed: rooms.append(needed))
    (outcome,) = corridor(tasks="mini_knowledge")
    prompts = sum(len(text) for row in _rows(outcome, "mini_knowledge") for text, _ in row["arguments"])
    (needed,) = rooms
    assert needed > prompts + 160 * 4 * 30
    corridor(tasks="mini_knowledge", name="known")
    assert prompts <= rooms[-1] < needed, "what is kept already takes no more room"


def _rows(outcome: Outcome, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (outcome.path / "samples" / f"{task}.jsonl").read_text().splitlines()]


def test_an_adapter_of_another_model_is_refused_before_any_engine_starts(
    corridor: Callable[..., list[Outcome]], tiny_adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    wider = make_checkpoint(tmp_path / "wider", size="7m")
    with pytest.raises(CheckpointError, match="made for another model"):
        corridor(model=str(wider), adapter=f"ko={tiny_adapters[0]}")


def test_answers_are_kept_where_the_journal_is_said_to_be(
    corridor: Callable[..., list[Outcome]], tmp_path: Path
) -> None:
    shared = tmp_path / "answers"
    (first,) = corridor(journal=str(shared), output_path=str(tmp_path / "a"))
    (second,) = corridor(journal=str(shared), output_path=str(tmp_path / "b"))
    assert not list(tmp_path.glob("*/.journal"))
    assert results_of(first)["tokens"]["prompt"] > results_of(second)["tokens"]["prompt"] == 0


@pytest.mark.parametrize("device", ["gpu0", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_also_where_all_answers_are_kept(
    tiny_model: Path, tmp_path: Path, device: str
) -> None:
    asked = {"model": str(tiny_model), "tasks": "mini_knowledge", "limit": 2, "output_path": tmp_path, "engine": "hf"}
    [outcome] = run(RunConfig.build(**asked, device="cpu"), Progress(), report)
    assert outcome.exit_code == 0
    with pytest.raises(UsageError, match=device):
        run(RunConfig.build(**asked, device=device), Progress(), report)
