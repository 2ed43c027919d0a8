"""Self-debiasing: the authors' numbers, plain generation at λ = 0, and what is refused."""

from __future__ import annotations

import json
import math
from array import array
from pathlib import Path
from typing import Any

import pytest
import torch

import evalkit as ek
from evalkit.engines import huggingface
from evalkit.engines.huggingface.debias_rule import debias_of, debiased_logprobs
from evalkit.errors import UsageError
from evalkit.journal import key
from evalkit.types import Failed, Generate, Generated, GenerateRequest, Sampling
from tests.helpers.hf_engine import TEXT, answers, ids, spec, texts
from tests.helpers.runfolders import results_of

PREFIXES = ("The following text contains a threat:\n", "The following text contains sexually explicit language:\n")


def asked(decay: float, epsilon: float = 0.01, prefixes: tuple[str, ...] = PREFIXES, **fields: Any) -> Sampling:
    settings = (("decay", decay), ("epsilon", epsilon), ("prefixes", prefixes))
    return Sampling(**{"max_tokens": 12, **fields}, extra=(("self_debias", settings),))


def cases(hub: Path) -> list[dict[str, Any]]:
    file = hub.parent / "selfdebias" / "cases.jsonl"
    if not file.is_file():
        pytest.skip(f"no recorded cases: {file} is not there")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_authors_numbers(hub: Path) -> None:
    for case in cases(hub):
        found = debiased_logprobs(
            torch.tensor(case["regular"]), torch.tensor(case["biased"]), case["lambda"], case["epsilon"]
        )
        assert torch.allclose(found, torch.tensor(case["expected_logprobs"], dtype=torch.float64), atol=1e-5, rtol=0)


def test_the_rule_by_hand() -> None:
    plain, biased = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([[0.2, 0.7, 0.1], [0.25, 0.25, 0.5]]).log()
    scaled = [0.5, 0.3 * math.exp(-2 * 0.4), 0.2 * math.exp(-2 * 0.3)]
    wanted = torch.tensor([value / sum(scaled) for value in scaled], dtype=torch.float64)
    assert torch.allclose(debiased_logprobs(plain, biased, 2.0, 0.01).exp(), wanted, atol=1e-6)
    none = debiased_logprobs(plain, biased, 10_000.0, 0.0)
    assert none[1] < -3000
    assert none[0] == pytest.approx(0.0)
    floored = debiased_logprobs(plain, biased, 10_000.0, 0.01).exp()
    assert float(floored[1] / floored[0]) == pytest.approx(0.3 * 0.01 / 0.5, rel=1e-5)


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Any:
    return huggingface.load(spec(tiny_model))


def test_lambda_0_is_plain_generation_to_the_byte_under_other_keys(engine: Any, tiny_model: Path) -> None:
    prompts = [ids("".join(TEXT[i : i + 2]), tiny_model) for i in range(6)]
    plain = [Generate((i,), prompt, Sampling(max_tokens=12)) for i, prompt in enumerate(prompts)]
    zero = [Generate((i,), prompt, asked(0.0)) for i, prompt in enumerate(prompts)]
    assert texts(answers(engine, plain)) == texts(answers(engine, zero))
    keys = {
        key("model", GenerateRequest(0, prompts[0], sampling), "hf/1")
        for sampling in (
            Sampling(max_tokens=12),
            asked(0.0),
            asked(50.0),
            asked(50.0, 0.1),
            asked(50.0, prefixes=PREFIXES[:1]),
        )
    }
    assert len(keys) == 5
    assert debias_of(asked(0.0)) is None


def test_a_batch_generates_what_the_closed_form_says_token_by_token(engine: Any, tiny_model: Path) -> None:
    """Against a loop over whole sequences without a cache; prompts of several lengths share the batch."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    net = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    before = [tokenizer.encode(prefix, add_special_tokens=False) for prefix in PREFIXES]
    prompts = [ids("".join(TEXT[i : i + 1 + i % 3]), tiny_model) for i in range(4)]

    def by_hand(prompt: list[int]) -> str:
        said: list[int] = []
        while len(said) < 12:
            with torch.inference_mode():
                rows = [net(torch.tensor([[*start, *prompt, *said]])).logits[0, -1] for start in ([], *before)]
            said.append(int(debiased_logprobs(rows[0], torch.stack(rows[1:]), 50.0, 0.01).argmax()))
            if said[-1] == tokenizer.eos_token_id:
                break
        return str(tokenizer.decode(said, skip_special_tokens=True))

    work = [Generate((i,), prompt, asked(50.0)) for i, prompt in enumerate(prompts)]
    work.append(Generate((9,), prompts[0], Sampling(max_tokens=12)))
    found = texts(answers(engine, work))
    assert [found[i] for i in range(4)] == [by_hand(list(prompt)) for prompt in prompts]
    alone = texts(answers(engine, [Generate((2,), prompts[2], asked(50.0))]))
    assert alone[2] == found[2]


def test_samples_are_repeatable_one_by_one(engine: Any, tiny_model: Path) -> None:
    sampling = asked(50.0, temperature=1.0, seed=3)
    prompt = ids(TEXT[0], tiny_model)
    together = texts(answers(engine, [Generate((0, 1, 2), prompt, sampling, (0, 1, 2))]))
    assert texts(answers(engine, [Generate((7,), prompt, sampling, (2,))]))[7] == together[2]
    assert len(set(together.values())) > 1


def test_a_long_prompt_gives_way_to_the_prefix_and_a_window_without_room_fails(engine: Any, tiny_model: Path) -> None:
    window = engine.description["max_length"]
    long = array("i", (ids("".join(TEXT), tiny_model) * 9)[: window - 12])
    one = answers(engine, [Generate((0,), long, asked(50.0))])[0]
    assert isinstance(one, Generated)
    short = array("i", long[:2])
    none = answers(engine, [Generate((0,), short, asked(50.0, max_tokens=window - 4))])[0]
    assert isinstance(none, Failed)
    assert "no room for a prefix" in none.reason


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings in ((("decay", 50.0),), (("decay", -1.0), ("epsilon", 0.0), ("prefixes", ("a",)))):
        with pytest.raises(UsageError, match="self_debias"):
            debias_of(Sampling(max_tokens=1, extra=(("self_debias", settings),)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"self_debias": "toxicty"}, "did you mean toxicity"),
        ({"self_debias": "toxicity", "debias_lambda": -1}, "must be 0 or more"),
        (
            {"self_debias": "toxicity", "engine": "openai", "model_args": "base_url=http://127.0.0.1:9/v1"},
            "type --engine hf",
        ),
        ({"self_debias": "toxicity", "tasks": "mini_knowledge"}, "mini_knowledge generates nothing"),
    ],
)
def test_what_cannot_be_debiased_is_said_before_anything_loads(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        ek.evaluate("nano", **{"tasks": "mini_arithmetic", "engine": "hf", "output_path": tmp_path, **given})


def test_a_run_resumes_and_never_takes_plain_answers(tmp_path: Path) -> None:
    def run(name: str, **given: Any) -> tuple[list[str], int]:
        done = ek.evaluate(
            "nano", tasks="mini_arithmetic", engine="hf", limit=4, output_path=tmp_path, name=name,
            gen_kwargs={"max_gen_toks": 8}, **given,
        )  # fmt: skip
        rows = [row["resps"][0][0] for row in done.stored.rows("mini_arithmetic")]
        return rows, results_of(done.stored)["tokens"]["generated"]

    plain, _ = run("plain")
    zero, generated = run("zero", self_debias="all", debias_lambda=0)
    assert zero == plain
    assert generated > 0, "plain answers were taken for debiased ones"
    debiased, generated = run("debiased", self_debias="all")
    assert generated > 0
    again, generated = run("again", self_debias="all")
    assert again == debiased
    assert generated == 0, "kept answers were asked for again"
