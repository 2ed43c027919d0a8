"""Encoders with a question-answering head, from a checkpoint made here to a run's figures, on the real transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.engines.base import Passage
from evalkit.engines.spec import find_spec
from evalkit.errors import CheckpointError, UsageError
from evalkit.registry.reading import wrong_span
from evalkit.types import ModelSpec

CONTEXT = "서울은 대한민국의 수도이다. Seoul is the capital of Korea and has nine million people. " * 12


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with a question-answering head and a WordPiece tokenizer of its own."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForQuestionAnswering, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    trained = BertWordPieceTokenizer(lowercase=False)
    trained.train_from_iterator(
        [CONTEXT, "질문 수도는 어디인가? What is the capital?"], vocab_size=400, min_frequency=1
    )
    trained.save(str(folder / "tokenizer.json"))
    tokenizer = BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), do_lower_case=False)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=96, initializer_range=0.5, **shape)
    BertForQuestionAnswering(config).save_pretrained(folder)
    return folder


def squad(path: Path, count: int = 6, none: bool = False) -> Path:
    qas = [
        {
            "id": f"q{number}",
            "question": "수도는 어디인가?" if number % 2 else "What is the capital?",
            "answers": [] if none and number % 2 else [{"text": "서울", "answer_start": 0}],
            "is_impossible": none and bool(number % 2),
        }
        for number in range(count)
    ]
    article = {"title": "서울", "paragraphs": [{"context": CONTEXT, "qas": qas}]}
    path.write_text(json.dumps({"version": "v2.0" if none else "1.1", "data": [article]}))
    return path


def rows(run: Any, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "samples" / f"{task}.jsonl").read_text().splitlines()]


def test_it_runs_end_to_end_and_its_spans_hold(encoder: Path, tmp_path: Path) -> None:
    path = squad(tmp_path / "dev.json")
    run = evalkit.evaluate(str(encoder), tasks=f"squad:{path}", output_path=tmp_path / "results", name="once")
    results = json.loads((run.path / "results.json").read_text())
    metrics = {name: figure["value"] for name, figure in results["tasks"]["dev"]["metrics"].items()}
    assert set(metrics) == {"exact_match,none", "f1,none", "span_exact,none"}
    assert all(value is not None for value in metrics.values())
    assert results["status"] == "complete"
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["engine"]["head"] == "question-answering"
    assert manifest["model"]["architecture"] == "BertForQuestionAnswering"
    for row in rows(run, "dev"):
        assert row["doc"]["context"][row["answer_start"] : row["answer_end"]] == row["resps"][0][0] != ""
        assert 1 < len(row["n_best"]) <= 20
        scores = [one["score"] for one in row["n_best"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1.0)
        for one in row["n_best"]:
            assert row["doc"]["context"][one["answer_start"] : one["answer_end"]] == one["text"]
    # Its rows can be scored again, spans and n best with them, and the same name finds the run.
    again = evalkit.score(run, tasks=[f"squad:{path}"], output_path=tmp_path / "results")
    found = json.loads((again.path / "results.json").read_text())["tasks"]["dev"]["metrics"]
    assert {name: figure["value"] for name, figure in found.items()} == metrics
    same = evalkit.evaluate(str(encoder), tasks=f"squad:{path}", output_path=tmp_path / "results", name="once")
    assert same.path == run.path


def test_a_question_may_have_no_answer_and_the_threshold_decides(encoder: Path, tmp_path: Path) -> None:
    path = squad(tmp_path / "v2.json", none=True)
    asked = {"tasks": f"squad:{path}", "output_path": tmp_path / "results"}
    never = evalkit.evaluate(str(encoder), model_args={"null_threshold": 1000}, **asked)
    always = evalkit.evaluate(str(encoder), model_args={"null_threshold": -1000}, **asked)
    assert all(row["answer_start"] is not None and row["resps"][0][0] for row in rows(never, "v2"))
    assert all(row["answer_start"] is None and row["resps"] == [[""]] for row in rows(always, "v2"))
    figures = json.loads((always.path / "results.json").read_text())["tasks"]["v2"]["metrics"]
    assert figures["no_ans_f1,none"]["value"] == figures["no_ans_exact_match,none"]["value"] == 1.0
    assert figures["has_ans_f1,none"]["value"] == 0.0
    assert figures["span_exact,none"]["value"] == 0.5
    assert figures["best_f1,none"]["value"] is not None
    assert all(0 <= row["no_answer_probability"] <= 1 for row in rows(always, "v2"))


def test_a_long_context_is_read_in_parts_that_overlap(encoder: Path) -> None:
    start = find_spec("hf").start_reader
    assert start is not None
    from evalkit.engines.huggingface.reading import Reader
    from evalkit.engines.spec import EngineSettings

    spec = ModelSpec("tiny", str(encoder), args={"max_length": 64, "stride": 16})
    reader = start(spec, EngineSettings())
    assert isinstance(reader, Reader)
    passage = Passage("What is the capital?", CONTEXT, False)
    parts = reader._parts(passage)
    assert len(parts) > 4
    assert all(len(part.ids) <= 64 for part in parts)
    seen = [place for part in parts for place in part.places if place is not None]
    assert min(seen)[0] == 0
    assert max(place[1] for place in seen) == len(CONTEXT.rstrip())
    [answer] = reader.read([passage])
    assert answer.located.span is not None
    assert wrong_span({"context": CONTEXT}, answer.text, answer.located.span) is None
    # What a part finds does not depend on how many are read at once.
    alone = start(ModelSpec("tiny", str(encoder), args={**spec.args, "batch_size": 1}), EngineSettings())
    assert [one.text for one in alone.read([passage])] == [answer.text]
    # A question as long as the window leaves room for the context all the same, and blanks alone are no context.
    for odd in (
        Passage("What is the capital? " * 200, CONTEXT, False),
        Passage("?", "", True),
        Passage("", " \n", True),
    ):
        [told] = reader.read([odd])
        assert told.text == (odd.context[told.located.span.start : told.located.span.end] if told.located.span else "")


@pytest.mark.parametrize(
    ("model_args", "tasks", "said"),
    [
        ({"strid": 3}, None, "stride"),
        ({"n_best": "many"}, None, "a number is wanted"),
        ({"n_best": 0}, None, "positive"),
        ({}, "mini_arithmetic", "has no contexts"),
    ],
)
def test_what_it_cannot_do_is_said(
    encoder: Path, tmp_path: Path, model_args: dict[str, Any], tasks: str | None, said: str
) -> None:
    asked = tasks or f"squad:{squad(tmp_path / 'dev.json')}"
    with pytest.raises(UsageError, match=said):
        evalkit.evaluate(str(encoder), tasks=asked, model_args=model_args, output_path=tmp_path / "results")


def test_a_head_that_is_not_in_the_files_is_no_random_one(encoder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(encoder, tmp_path / "broken")
    kept = {name: value for name, value in load_file(broken / "model.safetensors").items() if "qa_outputs" not in name}
    save_file(kept, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="random numbers"):
        evalkit.evaluate(str(broken), tasks=f"squad:{squad(tmp_path / 'dev.json')}", output_path=tmp_path / "results")
