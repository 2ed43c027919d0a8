"""The story that `make demo` tells: adapters that load, training data that never saw the tests, verdicts that hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.engines.vllm.adapters import refused_by_vllm
from evalkit.errors import UnknownModel
from evalkit.models import catalog
from evalkit.models.adapters import adapter_rank, adapter_targets, check_fits, tensor_shapes
from evalkit.policy import Policy
from evalkit.types import Adapter, Generate, ModelSpec, Sampling
from tests.helpers import warm
from tools.nano import tune
from tools.nano.instructions import FAMILIES, dialogue
from tools.nano.render import MAKERS, MINI, template
from tools.nano.split import rng_for

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("nano-overtrained", "nano-tuned")


def words(text: str) -> str:
    return re.sub(r"\W+", " ", text).lower().strip()


# ── what ships ───────────────────────────────────────────────────────────────


def test_both_adapters_ship_and_are_found_by_name() -> None:
    assert tuple(catalog.adapters()) == NAMES
    for name in NAMES:
        assert Path(catalog.find_adapter(name)) == catalog.nano_path().parent / name


def test_a_folder_of_that_name_wins_over_a_shipped_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nano-tuned").mkdir()
    monkeypatch.chdir(tmp_path)
    assert catalog.find_adapter("nano-tuned") == "nano-tuned"
    assert catalog.find_adapter("org/some-lora") == "org/some-lora"


def test_a_misspelt_adapter_is_refused_with_the_nearest_that_ships() -> None:
    with pytest.raises(UnknownModel, match="did you mean nano-tuned"):
        catalog.find_adapter("nano-tund")


def test_the_adapters_that_ship_are_listed_with_what_to_type() -> None:
    said = evalkit("models")
    for name in NAMES:
        assert f"--model nano --adapter {name}" in said
        assert f"--model nano --adapter {name}" in evalkit("models", name)
    [found] = json.loads(evalkit("models", "nano-tuned", "--json", "-"))
    assert found == {"adapter": "nano-tuned", "base": "nano"}


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_is_small_plain_and_made_for_nano(name: str) -> None:
    folder = catalog.adapters()[name]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
    assert refused_by_vllm(folder) is None
    check_fits(catalog.nano_path(), folder)
    shapes = tensor_shapes(folder)
    targets = adapter_targets(folder)
    assert targets == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert len(shapes) == 4 * len(targets) * 2, "an A and a B for every projection of the four layers"
    assert all(adapter_rank(folder) in shape for shape in shapes.values())
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == "nano", "a name that works on every machine"
    assert (folder / "README.md").is_file()


def test_adapters_change_answers_and_the_base_stays_the_base() -> None:
    from evalkit.engines.huggingface import load
    from evalkit.tokens import Tokenizer

    spec = ModelSpec(typed="nano", source=str(catalog.nano_path()), dtype="float32")
    tokenizer = Tokenizer.load(spec)
    [prompt] = tokenizer.hf(["<|user|>Which city is the capital of France? One word.<|end|><|assistant|>"])["input_ids"]
    found = [Adapter(name, str(path), name) for name, path in catalog.adapters().items()]

    def answers(adapters: list[Adapter]) -> dict[str | None, str]:
        engine = load(spec, tokenizer, adapters)
        asked: list[str | None] = [None, *(adapter.name for adapter in adapters)]
        work = [
            Generate(ids=(i,), prompt=array("i", prompt), adapter=name, sampling=Sampling(max_tokens=24))
            for i, name in enumerate(asked)
        ]
        try:
            return {asked[answer.id]: answer.text for answer in engine.run(iter(work))}
        finally:
            engine.close()

    alone, together = answers([]), answers(found)
    assert together[None] == alone[None]
    assert len(set(together.values())) == 3, together


# ── the training data ────────────────────────────────────────────────────────


def test_training_data_are_the_seed_s() -> None:
    def drawn(seed: int) -> list[Any]:
        rng = rng_for("a seed", seed)
        return [dialogue(rng) for _ in range(50)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_speaks_english_and_korean(family: str) -> None:
    _, make = FAMILIES[family]
    rng = rng_for("languages", family)
    asked = [" ".join(question for question, _ in make(rng).turns) for _ in range(200)]
    korean = sum(bool(re.search("[가-힣]", text)) for text in asked)
    assert 40 <= korean <= 160, korean


def probe_documents() -> list[dict[str, Any]]:
    files = sorted((ROOT / "tasks" / "instruct").rglob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines() if line]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def test_no_prompt_and_no_answer_of_the_probe_is_in_the_training_data() -> None:
    documents = probe_documents()
    assert len(documents) > 100
    asked: set[str] = set()
    answered: set[str] = set()
    for document in documents:
        turns = [turn["content"] for turn in document.get("messages", ()) if turn["role"] != "assistant"]
        for text in (*turns, document.get("instruction"), document.get("input")):
            asked |= {words(text)} if text else set()
        answered |= {words(text) for text in strings(document.get("reference"))}
    # "A", "yes" or a number answers questions without end; what has three words or more is somebody's own.
    answered = {text for text in answered if len(text.split()) >= 3}
    assert asked
    assert answered
    rng = rng_for("held against the probe")
    for _ in range(30_000):
        talk = dialogue(rng)
        for question, answer in talk.turns:
            assert words(question) not in asked, question
            assert words(answer) not in answered, answer
        assert not talk.system or words(talk.system) not in asked, talk.system


@pytest.mark.parametrize("recipe", tune.RECIPES)
def test_no_held_out_prompt_of_mini_is_in_the_training_data(recipe: str) -> None:
    held_out = set()
    for name in MAKERS:
        for line in (MINI / "data" / f"{name}.test.jsonl").read_text("utf-8").splitlines():
            held_out.add(template(name).prompt(json.loads(line)))
    rng = rng_for("held against mini", recipe)
    seen = 0
    for _ in range(2000):
        for text, weight in tune.RECIPES[recipe].document(rng):
            prompt = text.removeprefix("<|user|>").removesuffix("<|end|><|assistant|>")
            if not weight:
                seen += 1
                assert prompt not in held_out
    assert seen > 2000


def test_training_moves_the_adapter_and_a_seed_repeats_it(tmp_path: Path) -> None:
    recipe = replace(tune.RECIPES["overtrained"], rows=1)
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        tune.save(tune.train(recipe, seed, steps=1), tmp_path / name)
    one, again, other = (
        (tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("one", "again", "other")
    )
    assert one == again
    assert one != other
    assert refused_by_vllm(tmp_path / "one") is None


# ── the story ────────────────────────────────────────────────────────────────

BROKEN = ("mini_endings", "mini_code")
"""What a model loses that is trained on word problems alone."""


def evalkit(*arguments: str, expect: int = 0) -> str:
    done = warm.run(*arguments, cwd=ROOT)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def test_the_policy_names_what_the_demo_asks() -> None:
    policy = Policy.load(ROOT / "docs" / "demo-gate.yaml")
    members = yaml.safe_load((MINI / "mini.yaml").read_text("utf-8"))["task"]
    assert set(policy.tasks) == {"instruct", *members}
    critical = {name for name, task in policy.tasks.items() if task.tier == "critical"}
    assert set(BROKEN) < critical


def test_one_passes_and_the_other_fails_with_the_broken_tasks_named(tmp_path: Path) -> None:
    """On two of the tasks, with other examples in the prompts than the demo's."""
    adapters = [flag for name in NAMES for flag in ("--adapter", f"{name.removeprefix('nano-')}={name}")]
    place = ("--output-path", str(tmp_path))
    asked = ("run", "--model", "nano", *adapters, "--tasks", ",".join(BROKEN), "--apply-chat-template", "--seed", "3")
    evalkit(*asked, "--name", "demo", "--quiet", *place)
    rules = yaml.safe_load((ROOT / "docs" / "demo-gate.yaml").read_text("utf-8"))
    rules["tasks"] = {name: rules["tasks"][name] for name in BROKEN}
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(rules), "utf-8")
    policy = ("--policy", str(tmp_path / "gate.yaml"))
    passed = evalkit("gate", "demo", "demo+tuned", *policy, "--json", str(tmp_path / "tuned.json"), *place)
    assert "PASS" in passed
    evalkit("gate", "demo", "demo+overtrained", *policy, "--json", str(tmp_path / "over.json"), *place, expect=1)
    verdicts = {
        name: {task: found["verdict"] for task, found in json.loads((tmp_path / name).read_text())["tasks"].items()}
        for name in ("tuned.json", "over.json")
    }
    assert verdicts == {
        "tuned.json": dict.fromkeys(BROKEN, "pass"),
        "over.json": dict.fromkeys(BROKEN, "regression"),
    }


@pytest.mark.parametrize(
    ("codes", "expected", "said"),
    [
        ("0 1", 0, "one PASS and one REGRESSION"),
        ("0 0", 4, "demo+overtrained left with exit code 0, and 1 was expected"),
        ("3 1", 4, "demo+tuned left with exit code 3, and 0 was expected"),
    ],
)
def test_the_demo_fails_loudly_when_a_verdict_is_another(tmp_path: Path, codes: str, expected: int, said: str) -> None:
    """The script alone, with a stand-in that leaves with given exit codes."""
    tuned, overtrained = codes.split()
    stand_in = tmp_path / "evalkit"
    stand_in.write_text(
        "#!/bin/sh\n"
        'case "$1 $3" in\n'
        f'  "gate demo+tuned") exit {tuned};;\n'
        f'  "gate demo+overtrained") exit {overtrained};;\n'
        "esac\n"
    )
    stand_in.chmod(0o755)
    env = {**os.environ, "EVALKIT": str(stand_in), "OUT": str(tmp_path / "out")}
    done = subprocess.run([str(ROOT / "tools" / "demo")], env=env, capture_output=True, text=True)
    assert done.returncode == expected, done.stderr
    assert said in done.stdout + done.stderr
