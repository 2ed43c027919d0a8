"""The openai engine and judging through it, against a real `vllm serve` on loopback."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.engines.openai import OpenAIEngine, Options
from evalkit.results import Run
from evalkit.types import Generate, Generated, Message, ModelSpec, Sampling, Score, Scored, Work
from tests.helpers import warm
from tests.helpers.judged import RUBRIC, environment, evalkit, figure, figure_by, judge, make_run, of_judge
from tests.helpers.runfolders import manifest_of, results_of
from tests.helpers.serving import vllm_serve


def speak_in_digits(folder: Path) -> Path:
    """Random weights say anything. One channel that is always on makes the digits 1 to 5 what they mostly say."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    digits = [i for i in range(len(tokenizer)) if tokenizer.decode([i]).strip() in set("12345")]
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 12.0
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[digits, 0] = 4.0
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real `vllm serve` on loopback, with a tiny model."""
    from tests.helpers.checkpoints import make_checkpoint

    folder = make_checkpoint(tmp_path_factory.mktemp("served") / "tiny", chat_template=True)
    with vllm_serve(speak_in_digits(folder), "tiny") as url:
        yield url, folder


@pytest.mark.vllm
def test_judging_with_log_probabilities_on_a_real_server(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    make_run(tmp_path, 6)
    (tmp_path / "one.yaml").write_text(RUBRIC + "engine: {max_tokens: 1}\n")
    judge(tmp_path, "--judge", f"openai:tiny@{url}")
    found = figure(tmp_path)
    assert found["method"] == "logprobs"
    assert found["coverage"] == 1.0
    assert 1 < found["value"] < 5
    run = Run.open(tmp_path / "nano" / "r1")
    (settings,) = manifest_of(run)["judging"].values()  # one rubric and one judge
    engine = settings["judges"][0]["engine"]
    assert engine["abilities"]["refused"] == []
    assert engine["served_model"] == ["tiny"]
    rows = [json.loads(line) for line in next((run.path / "judgments").iterdir()).read_text().splitlines()]
    for row in rows:
        assert 0.9 <= row["covered"] <= 1
        mean = sum(int(label) * mass for label, mass in row["labels"].items()) / sum(row["labels"].values())
        assert row["score"] == pytest.approx(mean)
    # The same weights as a local judge: other markers in the prompts, so close and not equal.
    judge(tmp_path, "--judge", f"hf:{folder}", "--judge-args", "dtype=float32")
    assert figure_by(tmp_path, "hf:")["method"] == "logprobs"
    assert figure_by(tmp_path, "hf:")["value"] == pytest.approx(found["value"], abs=1.0)
    judge(tmp_path, "--judge", f"vllm:{folder}", "--judge-args", "dtype=float32,max_model_len=2048,enforce_eager=true")
    assert figure_by(tmp_path, "vllm:")["method"] == "logprobs"
    assert figure_by(tmp_path, "vllm:")["coverage"] == 1.0
    assert figure_by(tmp_path, "vllm:")["value"] == pytest.approx(found["value"], abs=1.0)


@pytest.mark.vllm
def test_a_real_server_judges_the_instruct_probe_beside_its_checks(served: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = served
    (tmp_path / "one.yaml").write_text(RUBRIC + "engine: {max_tokens: 1}\n")
    evalkit(
        *("run", "--model", "nano", "--tasks", "instruct_ko", "--limit", "1", "--output-path", str(tmp_path), "-q"),
        *("--gen-kwargs", "max_gen_toks=16", "--judge", f"openai:tiny@{url}", "--rubric", str(tmp_path / "one.yaml")),
        *("--json", str(tmp_path / "out.json")),
    )
    found = json.loads((tmp_path / "out.json").read_text())
    for entry in [found["groups"]["instruct_ko"], *found["tasks"].values()]:
        assert entry["metrics"]["checks_strict,none"]["value"] is not None
        judged = of_judge(entry["metrics"], "quality,one")
        assert judged["coverage"] == 1.0
        assert judged["value"] <= 3.0 if entry["metrics"]["checks_strict,none"]["value"] == 0 else judged["value"] > 1
    assert of_judge(found["groups"]["instruct_ko"]["metrics"], "quality,one")["n"] == 10


@pytest.mark.vllm
def test_a_real_server_holds_samples_to_the_form(served: tuple[str, Path]) -> None:
    """A model of random weights that speaks in digits begins an object, where one is asked for."""
    from evalkit.judging.scale import Scale
    from evalkit.judging.schema import response_format

    url, _ = served
    form = (("response_format", response_format(Scale.between(1, 5), "score")),)
    begun = []
    for extra in ((), form):
        engine = OpenAIEngine("tiny", Options(base_url=url, api="chat"))
        sampling = Sampling(24, temperature=1.0, seed=1, extra=extra)
        text = (Message("user", "Rate this answer from 1 to 5."),)
        try:
            found = list(engine.run(iter([Generate(tuple(range(8)), array("i"), sampling, tuple(range(8)), text)])))
        finally:
            engine.close()
        begun.append([isinstance(answer, Generated) and answer.text.lstrip().startswith("{") for answer in found])
    assert begun == [[False] * 8, [True] * 8]
    assert engine.description["abilities"]["supports"]["structured output"] == "yes"


@pytest.mark.vllm
def test_scores_from_a_real_server_are_the_local_engines(served: tuple[str, Path]) -> None:
    from evalkit.engines.huggingface import load as load_local
    from evalkit.tokens import Tokenizer

    url, folder = served
    spec = ModelSpec(str(folder), str(folder), dtype="float32")
    tokenizer = Tokenizer.load(spec)
    texts = [f"Question {i}: what is {i} plus {i}? Answer:" for i in range(6)]
    work: list[Work] = []
    for i, text in enumerate(texts):
        context = array("i", tokenizer.hf.encode(text))
        choices = tuple(array("i", tokenizer.hf.encode(f" {2 * i + k}", add_special_tokens=False)) for k in range(3))
        work.append(Score((10 * i, 10 * i + 1, 10 * i + 2), context, choices))
    engine = OpenAIEngine("tiny", Options(base_url=url))
    local = load_local(spec, tokenizer, ())
    try:
        served_scores = {a.id: a for a in engine.run(iter(work))}
        local_scores = {a.id: a for a in local.run(iter(work))}
    finally:
        engine.close()
        local.close()
    assert len(served_scores) == 18
    for id_, answer in served_scores.items():
        other = local_scores[id_]
        assert isinstance(answer, Scored)
        assert isinstance(other, Scored)
        assert answer.logprob == pytest.approx(other.logprob, abs=1e-3)
        assert answer.is_greedy == other.is_greedy


@pytest.mark.vllm
def test_a_model_is_evaluated_through_a_real_server(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(json.dumps({"q": f"What is {i} plus 1?", "a": str(i + 1)}) + "\n" for i in range(5)))
    common = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
    (tmp_path / "says.yaml").write_text(
        f"task: says\n{common}output_type: generate_until\ndoc_to_text: '{{{{q}}}}'\ndoc_to_target: '{{{{a}}}}'\n"
        'generation_kwargs: {until: ["\\n"], max_gen_toks: 8}\nmetric_list: [{metric: exact_match}]\n'
    )
    (tmp_path / "picks.yaml").write_text(
        f"task: picks\n{common}output_type: multiple_choice\ndoc_to_text: '{{{{q}}}}'\ndoc_to_target: 0\n"
        "doc_to_choice: ['{{a}}', '7', '11']\nmetric_list: [{metric: acc}]\n"
    )

    def run(*args: str) -> Run:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        command = ["run", "--include-path", str(tmp_path), "--output-path", str(out), "-q", *args]
        done = warm.run(*command, env=environment())
        assert done.returncode == 0, done.stdout + done.stderr
        return Run.open(next(p for p in out.glob("*/*") if p.parent.name != ".journal"))

    api = ["--engine", "openai", "--model", "tiny"]
    text_only = run(*api, "--tasks", "says", "--model-args", f"base_url={url}")
    assert text_only.status == "complete"
    by_ids = run(*api, "--tasks", "says,picks", "--model-args", f"base_url={url},tokenizer={folder},max_length=2048")
    local = run("--engine", "hf", "--model", str(folder), "--tasks", "says,picks", "--model-args", "dtype=float32")
    for task, metric in (("says", "exact_match,none"), ("picks", "acc,none")):
        assert (
            results_of(by_ids)["tasks"][task]["metrics"][metric]["value"]
            == results_of(local)["tasks"][task]["metrics"][metric]["value"]
        )
    assert [r["resps"] for r in by_ids.rows("says")] == [r["resps"] for r in local.rows("says")]
    assert [r["resps"] for r in text_only.rows("says")] == [r["resps"] for r in local.rows("says")]
