"""The benchmarks and the model that ship inside: honest data, a loadable checkpoint, figures above chance."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.models import catalog
from evalkit.registry import Registry
from evalkit.sandbox import Sandbox
from evalkit.types import Program
from tools.nano import make_mini
from tools.nano.facts import RELATIONS
from tools.nano.render import MAKERS, MINI, template
from tools.nano.split import draw, part_of, rng_for
from tools.nano.words import NAMES, OBJECTS

TASKS = tuple(MAKERS)
NANO = catalog.nano_path()


def shipped(name: str, part: str) -> list[dict[str, Any]]:
    lines = (MINI / "data" / f"{name}.{part}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def bare(prompt: str) -> str:
    """The prompt without what is only wording: who it is about, what is counted, how it is spaced."""
    for word in (*NAMES, *OBJECTS):
        prompt = re.sub(rf"\b{word}\b", "*", prompt)
    return re.sub(r"\W+", " ", re.sub(r"\b(She|He)\b", "*", prompt)).lower().strip()


# ── the data ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TASKS)
def test_shipped_data_are_what_the_seeded_generators_make(name: str) -> None:
    assert shipped(name, "test") == make_mini.held_out(name)
    assert shipped(name, "train") == make_mini.train_sample(name)


@pytest.mark.parametrize("name", TASKS)
def test_no_held_out_prompt_is_in_the_train_part(name: str) -> None:
    form = template(name)
    held_out = {form.prompt(doc) for doc in shipped(name, "test")}
    rng = rng_for("another stream", name)
    train = [draw(MAKERS[name], rng, "train").doc for _ in range(6000)] + shipped(name, "train")
    assert len(held_out) == len(shipped(name, "test")), "a held-out prompt stands there twice"
    assert not held_out & {form.prompt(doc) for doc in train}
    if name != "symbolic":  # There, who does what with whom is the puzzle, not its wording.
        assert not {bare(prompt) for prompt in held_out} & {bare(form.prompt(doc)) for doc in train}


@pytest.mark.parametrize("name", TASKS)
def test_rewording_an_item_never_changes_its_part(name: str) -> None:
    rng, seen = rng_for("keys", name), {}
    for _ in range(3000):
        item = MAKERS[name](rng)
        words = bare(template(name).prompt(item.doc))
        if name != "symbolic":
            assert seen.setdefault(words, part_of(item.key)) == part_of(item.key), words
    parts = Counter(part_of(MAKERS[name](rng).key) for _ in range(2000))
    assert 0.1 < parts["test"] / 2000 < 0.4


def test_knowledge_has_one_right_choice_of_four() -> None:
    truth = {(r.name, entity): value for r in RELATIONS for entity, value in r.pairs}
    answers = Counter()
    for doc in shipped("knowledge", "test"):
        relation, entity = doc["fact"].split("/")
        assert len(set(doc["choices"])) == 4
        assert doc["choices"][doc["answer"]] == truth[relation, entity]
        answers[doc["answer"]] += 1
    assert max(answers.values()) < 0.35 * sum(answers.values()), "one letter would do better than chance"


def test_endings_have_four_choices_and_no_favourite_place() -> None:
    docs = shipped("endings", "test")
    assert all(len(set(doc["endings"])) == 4 for doc in docs)
    assert max(Counter(doc["label"] for doc in docs).values()) < 0.35 * len(docs)


def test_arithmetic_is_worked_out_rightly() -> None:
    for doc in shipped("arithmetic", "test"):
        *sums, last = doc["answer"].splitlines()
        for line in sums:
            left, right = line.split(" = ")
            assert _value(left) == int(right), line
        assert last == f"#### {right}"


def test_symbolic_puzzles_are_solved_rightly() -> None:
    for doc in shipped("symbolic", "test"):
        assert _SOLVERS[doc["kind"]](doc["input"]) == doc["target"], doc


def test_symbolic_chance_is_that_of_the_best_blind_guess() -> None:
    docs = shipped("symbolic", "test")
    guessed = 0.0
    for kind in _SOLVERS:
        answers = Counter(doc["target"] for doc in docs if doc["kind"] == kind)
        total = sum(answers.values())
        # Three people or three colours stand in the question; else the commonest answer of the kind.
        guessed += total / 3 if kind in ("swaps", "order") else max(answers.values())
    assert template("symbolic").config["metadata"]["chance"] == pytest.approx(guessed / len(docs), abs=0.005)


def test_code_tests_accept_the_solution_and_refuse_others() -> None:
    docs = shipped("code", "test")[::8]
    bodies = [doc["canonical_solution"] for doc in docs]
    wrong = ["    return None\n"] * len(docs)
    # The solution of the next item of the same family, which differs in its constants only.
    twins = [_twin(doc) for doc in docs]
    programs = [
        Program(doc["prompt"] + body, doc["test"], doc["entry_point"])
        for each in (bodies, wrong, twins)
        for doc, body in zip(docs, each, strict=True)
    ]
    with Sandbox.start() as sandbox:
        verdicts = [verdict.verdict for verdict in sandbox.judge(programs)]
    n = len(docs)
    assert verdicts[:n] == ["passed"] * n
    assert verdicts[n:] == ["failed"] * (2 * n)


def test_the_registry_serves_all_five() -> None:
    suite = Registry().load(["mini"])
    assert list(suite.tasks) == [f"mini_{name}" for name in TASKS]
    for name, task in zip(TASKS, suite.tasks.values(), strict=True):
        documents = task.build(None)
        assert len(documents) == make_mini.SIZES[name]
        assert not [document.error for document in documents if document.error]
        assert task.headline in task.metrics
        assert 0 <= task.chance < 0.5


# ── the model ────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


def test_nano_is_small_and_complete() -> None:
    assert (NANO / "model.safetensors").stat().st_size <= 8_000_000
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (NANO / file).is_file()
    config = json.loads((NANO / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["dtype"] == "float32"
    assert config["max_position_embeddings"] == 1024


def test_nano_is_the_catalog_s() -> None:
    from transformers import AutoModelForCausalLM

    entry = catalog.get("nano")
    model = AutoModelForCausalLM.from_pretrained(NANO, dtype="auto")
    assert entry is not None
    assert model.num_parameters() == entry.parameters.value
    assert model.config.max_position_embeddings == entry.context.value


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_any_text_survives_nano_s_tokenizer(tokenizer: Any, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", ["안녕하세요, 파리의 수도는?", "👩‍👩‍👧 ok 🇰🇷", "tab\tand\r\nline", "\x00\u200b½"])
def test_korean_emoji_and_odd_bytes_survive(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_prompt_is_cut_into_the_same_tokens_with_its_answer_and_without(tokenizer: Any) -> None:
    for name in TASKS:
        form = template(name)
        for doc in shipped(name, "test")[:40]:
            prompt, answer = form.prompt(doc), form.delimiter + form.target(doc)
            assert tokenizer.encode(prompt + answer) == tokenizer.encode(prompt) + tokenizer.encode(answer)


def test_the_chat_template_ends_turns_with_the_end_token(tokenizer: Any) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "안녕?"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "<|system|>Be brief.<|end|><|user|>안녕?<|end|><|assistant|>"
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.encode(text).count(tokenizer.eos_token_id) == 2


def test_nano_is_clearly_above_chance_on_at_least_three() -> None:
    from tools.nano.evaluate import evaluate

    results = evaluate(NANO, ["mini"], limit=120)
    above = [each.task for each in results if each.interval[0] > each.chance]
    assert len(above) >= 3, results
    code = next(each for each in results if each.task == "mini_code")
    assert code.right > 0


# ── solvers that share nothing with the generators ───────────────────────────


def _value(text: str) -> int:
    left, sign, right = text.split()
    a, b = int(left), int(right)
    if sign == "/":
        assert a % b == 0, text
    return {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]


def _logic(text: str) -> str:
    found = re.search(r"\(.*\)", text)
    assert found
    return str(_truth(ast.parse(found.group(), mode="eval").body))


def _truth(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool(value)):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_truth(each) for each in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_truth(each) for each in values)
    raise AssertionError(ast.dump(node))


def _swaps(text: str) -> str:
    holds = dict(re.findall(r"(\w+) has a (\w+) ball", text))
    for a, b in re.findall(r"Then (\w+) and (\w+) swap", text):
        holds[a], holds[b] = holds[b], holds[a]
    asked = re.search(r"does (\w+) have", text)
    assert asked
    return holds[asked.group(1)]


def _order(text: str) -> str:
    older = re.findall(r"(\w+) is older than (\w+)", text)
    people = {person for pair in older for person in pair}
    oldest = (people - {young for _, young in older}).pop()
    youngest = (people - {old for old, _ in older}).pop()
    middle = (people - {oldest, youngest}).pop()
    return oldest if "the oldest" in text else youngest if "youngest" in text else middle


def _odd(text: str) -> str:
    return str(sum(int(n) % 2 for n in re.findall(r"\d+", text)))


_SOLVERS = {"logic": _logic, "swaps": _swaps, "order": _order, "odd": _odd}


def _twin(doc: dict[str, Any]) -> str:
    """The solution with every constant changed."""
    body = doc["canonical_solution"]
    if re.search(r"\d", body):
        return re.sub(r"\d+(?! ==)", lambda m: m.group() if m.group() == "0" else str(int(m.group()) + 1), body)
    return re.sub(r'"(\w+)"', lambda m: f'"{m.group(1)[::-1]}q"', body)
