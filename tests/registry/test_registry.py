"""Tasks from names to figures. lm-eval's own `simple_evaluate` is the oracle; answers are made up from the prompts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError, CouldNotDo, DataNotFound, EvalkitError, UnknownTask, UsageError
from evalkit.registry import (
    DataSource,
    Document,
    Registry,
    Suite,
    check_data,
    list_tasks,
    pull_data,
    show_task,
    validate_path,
)
from evalkit.tokens import Tokenizer
from evalkit.types import Answer, Failed, Generated, ModelSpec, Request, Row, Scored, Verdict

OUTPUTS = (
    " so #### {n}",
    " The answer is {n}.",
    " the answer is ({letter}).",
    "",
    "{n} apples, or $1,{n}00.",
    "So the answer is Yes. \n\nQ",
    "    return {n}\n```\nThat was it.",
)


# ── answers and the oracle ───────────────────────────────────────────────────


def draw(*parts: Any) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def loglikelihood(context: str, continuation: str) -> tuple[float, bool]:
    number = draw(context, continuation)
    return -(number % 10_007) / 997.0, number % 3 == 0


def rolling(text: str) -> float:
    return -(draw(text) % 1_009) / 10.0


def generation(context: str, sample: int = 0) -> str:
    number = draw(context, sample)
    return OUTPUTS[number % len(OUTPUTS)].format(n=number % 50, letter="ABC"[number % 3])


def answer(request: Request) -> list[Answer]:
    context = str(request.context)
    if request.kind == "generate":
        return [Generated(0, generation(context, sample), "stop", 1) for sample in range(request.repeats)]
    made = (
        Scored(0, rolling(context), False)
        if request.kind == "rolling"
        else Scored(0, *loglikelihood(context, request.continuation))
    )
    return [made] * request.repeats


def answers(document: Document) -> list[list[Answer]]:
    return [answer(request) for request in document.requests]


def oracle(template: Callable[..., str] | None = None) -> Any:
    from lm_eval.api.model import LM

    class MadeUp(LM):  # type: ignore[misc]
        """Answers as `answer` does. lm-eval repeats a request `repeats` times in a row."""

        tokenizer_name = "made up"

        def loglikelihood(self, requests: Any, **_: Any) -> list[Any]:
            return [loglikelihood(*request.args) for request in requests]

        def loglikelihood_rolling(self, requests: Any, **_: Any) -> list[float]:
            return [rolling(request.args[0]) for request in requests]

        def generate_until(self, requests: Any, **_: Any) -> list[str]:
            seen: dict[int, int] = {}
            out = []
            for request in requests:
                sample = seen[id(request)] = seen.get(id(request), -1) + 1
                out.append(generation(request.args[0], sample))
            return out

        def apply_chat_template(self, history: Any, add_generation_prompt: bool = True) -> str:
            assert template is not None
            return template(history, add_generation_prompt)

        def chat_template(self, *_: Any) -> str:
            return ""

    return MadeUp()


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """lm-eval finds a mirror by its working directory only."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass
class Ran:
    suite: Suite
    documents: dict[str, list[Document]]
    rows: dict[str, list[Row]]


def run(suite: Suite, limit: float | None = None, **build: Any) -> Ran:
    """Documents are scored backwards: the order must not matter."""
    documents = {name: task.build(limit, **build) for name, task in suite.tasks.items()}
    rows: dict[str, list[Row]] = {}
    for name, task in suite.tasks.items():
        scorer = task.scorer()
        made = [row for document in reversed(documents[name]) for row in scorer.add(document, answers(document))]
        rows[name] = made + scorer.finish()
    return Ran(suite, documents, rows)


def as_json(value: Any) -> Any:
    """What a JSON file would hold."""
    return json.loads(json.dumps(value, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v)))


def assert_equal_to_lm_eval(ran: Ran, theirs: Any) -> None:
    compared = 0
    for name, samples in theirs["samples"].items():
        ours = {(row.doc_id, row.filter): row for row in ran.rows[name]}
        assert len(ours) == len(samples)
        for sample in samples:
            row = ours[sample["doc_id"], sample["filter"]]
            mine = {key: row.sample[key] for key in sample}
            assert list(row.sample)[: len(sample)] == list(sample)
            assert as_json(mine) == as_json(sample)
            compared += 1
    assert compared
    figures = ran.suite.aggregate(ran.rows)
    compared = 0
    for name, metrics in theirs["results"].items():
        mine = figures.tasks.get(name) or figures.groups.get(name) or {}
        for key, value in metrics.items():
            metric, comma, filter_name = key.partition(",")
            if not comma:
                continue
            compared += 1
            if metric.endswith("_stderr"):
                stderr = mine[f"{metric.removesuffix('_stderr')},{filter_name}"].stderr
                assert stderr == (None if value == "N/A" else value), (name, key)
            else:
                assert mine[key].value == value, (name, key)
    assert compared


def compare(hub: Path, names: list[str], limit: float, template: Any = None, **asked: Any) -> Ran:
    import lm_eval
    from lm_eval.tasks import TaskManager

    from evalkit.registry.lmeval import BUILTIN_TASKS

    multiturn, system = asked.pop("multiturn", False), asked.pop("system", None)
    suite = Registry(data_dir=hub).load(names, **asked)
    ran = run(suite, limit, chat_template=template, fewshot_as_multiturn=multiturn, system_instruction=system)
    folders = [BUILTIN_TASKS / part for part in ("mmlu/default", "hellaswag", "gsm8k", "bbh/cot_fewshot")]
    with standing_in(hub):
        theirs = lm_eval.simple_evaluate(
            oracle(template),
            tasks=names,
            limit=limit,
            task_manager=TaskManager(include_defaults=False, include_path=folders),
            apply_chat_template=template is not None,
            fewshot_as_multiturn=multiturn,
            system_instruction=system,
            **asked,
        )
    assert theirs is not None
    assert_equal_to_lm_eval(ran, theirs)
    return ran


@pytest.fixture(scope="module")
def chat(tiny_chat_model: Path) -> Any:
    return Tokenizer.load(ModelSpec("tiny-chat", str(tiny_chat_model))).chat()


# ── parity ───────────────────────────────────────────────────────────────────


@pytest.mark.hub
def test_rows_and_figures_equal_lm_evals(hub: Path) -> None:
    compare(hub, ["hellaswag", "gsm8k", "gsm8k_cot"], 12, num_fewshot=4)


@pytest.mark.hub
def test_group_figures_and_their_standard_errors_equal_lm_evals(hub: Path) -> None:
    ran = compare(hub, ["mmlu_stem"], 3, num_fewshot=5)
    assert len(ran.suite.groups["mmlu_stem"].tasks) == 19
    compare(hub, ["bbh"], 2)


@pytest.mark.hub
def test_a_limit_below_one_is_a_share_of_each_task_as_in_lm_eval(hub: Path) -> None:
    ran = compare(hub, ["mmlu_anatomy", "gsm8k"], 0.02, num_fewshot=1)
    assert {name: len(documents) for name, documents in ran.documents.items()} == {"mmlu_anatomy": 3, "gsm8k": 27}


@pytest.mark.hub
@pytest.mark.parametrize("multiturn", [True, False])
def test_chat_prompts_equal_lm_evals(hub: Path, chat: Any, multiturn: bool) -> None:
    names = ["gsm8k", "mmlu_anatomy", "hellaswag", "bbh_cot_fewshot_navigate"]
    ran = compare(hub, names, 3, chat, num_fewshot=2, multiturn=multiturn, system="Be brief.")
    first = ran.documents["mmlu_anatomy"][0]
    assert [request.continuation for request in first.requests] == ["A", "B", "C", "D"]
    assert "Be brief." in str(first.requests[0].context)


@pytest.mark.hub
def test_generation_arguments_of_the_user_stand_over_the_tasks(hub: Path) -> None:
    ran = compare(hub, ["gsm8k"], 2, num_fewshot=0, gen_kwargs={"max_gen_toks": 7, "temperature": 0.5})
    kwargs = ran.documents["gsm8k"][0].requests[0].gen_kwargs
    assert kwargs["max_gen_toks"] == 7
    assert kwargs["until"] == ["Question:", "</s>", "<|im_end|>"]


@pytest.mark.hub
@pytest.mark.parametrize("name", ["humaneval", "humaneval_64", "humaneval_instruct"])
def test_humaneval_asks_and_reads_as_lm_eval_does(
    hub: Path, chat: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lm-eval's module loads `code_eval` from the hub when it is imported; only that is replaced here."""
    import evaluate

    class Untouched:
        def compute(self, **_: Any) -> Any:
            return {}, {}

    monkeypatch.setattr(evaluate, "load", lambda *_, **__: Untouched())
    from lm_eval.tasks import TaskManager

    from evalkit.registry.lmeval import BUILTIN_TASKS

    task = Registry(data_dir=hub).load([name]).tasks[name]
    with standing_in(hub):
        manager = TaskManager(include_defaults=False, include_path=[BUILTIN_TASKS / "humaneval"])
        theirs = manager.load([name])["tasks"][name]
    theirs.set_fewshot_seed(1234)
    assert task.version == theirs.VERSION
    for template in (None, chat):
        theirs.build_all_requests(apply_chat_template=template is not None, chat_template=template)
        documents = task.build(chat_template=template)
        assert len(documents) == 164 == len(theirs.instances)
        for document, instance in zip(documents, theirs.instances, strict=True):
            (request,) = document.requests
            assert (request.context, request.gen_kwargs) == instance.args
            assert (request.repeats, document.target) == (instance.repeats, theirs.doc_to_target(instance.doc))
            instance.resps = [made.text for made in answer(request)]  # type: ignore[union-attr]
        theirs.apply_filters()
        for document, instance in zip(documents, theirs.instances, strict=True):
            programs = task.programs(document, answers(document))
            assert programs is not None
            assert [program.source for program in programs] == instance.filtered_resps["create_test"]
            (row,) = task.score(document, answers(document), [Verdict("passed", "", 0.1)] * len(programs))
            assert row.sample["filtered_resps"] == [instance.filtered_resps["create_test"]]
            assert row.filter == "create_test"


# ── names, cards, groups ─────────────────────────────────────────────────────


@pytest.mark.hub
def test_the_usual_shots_headlines_and_strata(hub: Path) -> None:
    suite = Registry(data_dir=hub).load(["mmlu", "hellaswag", "gsm8k", "bbh", "humaneval"])
    assert suite.requested == ("mmlu", "hellaswag", "gsm8k", "bbh", "humaneval")
    assert {suite.tasks[name].num_fewshot for name in suite.leaves("mmlu")} == {5}
    assert {suite.tasks[name].num_fewshot for name in suite.leaves("bbh")} == {3}
    assert [suite.tasks[name].num_fewshot for name in ("hellaswag", "gsm8k", "humaneval")] == [10, 5, 0]
    assert (len(suite.leaves("mmlu")), len(suite.leaves("bbh"))) == (57, 27)
    assert [suite.headline(name) for name in suite.requested] == [
        "acc,none",
        "acc_norm,none",
        "exact_match,strict-match",
        "exact_match,get-answer",
        "pass@1,create_test",
    ]
    assert {name: group.members for name, group in suite.groups.items()}["mmlu"] == (
        "mmlu_stem",
        "mmlu_other",
        "mmlu_social_sciences",
        "mmlu_humanities",
    )
    anatomy = suite.tasks["mmlu_anatomy"]
    assert (anatomy.stratum, anatomy.chance) == ("mmlu_anatomy", 0.25)
    sizes = [sum(suite.tasks[leaf].size for leaf in suite.leaves(name)) for name in suite.requested]
    assert sizes == [14042, 10042, 1319, 6511, 164]


@pytest.mark.hub
def test_asked_shots_win_but_not_over_a_task_that_fixes_none(hub: Path) -> None:
    suite = Registry(data_dir=hub).load(["mmlu_anatomy", "bbh_cot_fewshot_navigate", "humaneval"], num_fewshot=1)
    assert [task.num_fewshot for task in suite.tasks.values()] == [1, 1, 0]


@pytest.mark.hub
def test_hellaswags_clusters_are_its_sources_where_they_are_known(hub: Path) -> None:
    documents = Registry(data_dir=hub).load(["hellaswag"], num_fewshot=0).tasks["hellaswag"].build()
    known = [document for document in documents if document.cluster is not None]
    assert 0 < len(known) < len(documents)
    assert all(document.cluster == document.doc["source_id"] for document in known)


@pytest.mark.hub
def test_a_task_asked_for_alone_and_in_its_group_is_there_once(hub: Path) -> None:
    suite = Registry(data_dir=hub).load(["mmlu_anatomy", "mmlu_stem"])
    assert suite.requested == ("mmlu_anatomy", "mmlu_stem")
    assert len(suite.tasks) == 19


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownTask, match=r"'gsm8kk'; did you mean gsm8k"):
        Registry().load(["gsm8kk"])


def test_a_name_that_stands_in_no_task_file_is_refused_before_lm_eval_is_imported(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("task: my_own_task\ndataset_path: json\n")
    probe = (
        "import sys\nfrom evalkit.cli import main\n"
        f"for argv in (['hellaswagg'], ['gsm8k,my_own_tisk', '--include-path', {str(tmp_path)!r}]):\n"
        "    try: main(['run', '--model', 'nano', '--tasks', *argv])\n"
        "    except SystemExit as stop: print(stop.code)\n"
        "print(sorted(set(sys.modules) & {'lm_eval', 'torch', 'transformers', 'datasets'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.stdout.split("\n")[:3] == ["2", "2", "[]"], done.stderr
    assert "did you mean hellaswag" in done.stderr
    assert "did you mean my_own_task" in done.stderr


def test_own_names_are_not_refused_whatever_file_they_stand_in(tmp_path: Path) -> None:
    (tmp_path / "_base").write_text("tag: my_tag_of_tasks\noutput_type: multiple_choice\n")
    (tmp_path / "one.yaml").write_text("include: _base\ntask: my_own_task\n")
    Registry([tmp_path]).refuse_unknown(["my_own_task", "my_tag_of_tasks", "arc_easy", "mini", "mmlu_*"])
    with pytest.raises(UnknownTask, match="my_own_tag"):
        Registry([tmp_path]).refuse_unknown(["my_own_task", "my_own_tag"])


def test_a_glob_that_matches_nothing_is_an_error_and_one_that_does_is_spelled_out() -> None:
    registry = Registry()
    with pytest.raises(UnknownTask, match="no task matches"):
        registry.load(["no_such_*"])
    assert registry.load(["mini_k*", "mini_e*"]).requested == ("mini_knowledge", "mini_endings")


def test_a_task_that_runs_code_in_this_process_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(CouldNotDo, match=r"mbpp runs the model's code .*sandbox: python"):
        Registry().load(["mbpp"])


def test_the_shipped_list_has_the_facts() -> None:
    listed = {item.name: item for item in list_tasks()}
    for name in ("mmlu", "hellaswag", "gsm8k", "gsm8k_cot", "bbh", "humaneval", "humaneval_64", "humaneval_instruct"):
        item = listed[name]
        assert item.source == "shipped"
        assert item.headline
        assert item.citation
        assert item.license == "MIT"
        assert item.wraps == name


# ── one document ─────────────────────────────────────────────────────────────


def jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def own_task(folder: Path, body: str, rows: Sequence[dict[str, Any]], name: str = "own") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    jsonl(folder / f"{name}.jsonl", rows)
    path = folder / f"{name}.yaml"
    head = (
        f"task: {name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {name}.jsonl\ntest_split: test\n"
    )
    path.write_text(head + body, encoding="utf-8")
    return path


GENERATE = """output_type: generate_until
doc_to_text: "Q: {{q}}\\nA:"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
ROWS = [{"q": f"{i} + 1", "a": str(i + 1)} for i in range(6)]


def generated(text: str) -> list[list[Answer]]:
    return [[Generated(0, text, "stop", 1)]]


def test_a_document_that_raises_is_a_row_with_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    body = GENERATE.replace('"{{a}}"', '"{{a.strip()}}"')
    rows: list[dict[str, Any]] = [*ROWS]
    own_task(tmp_path, body, rows)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    documents = task.build()
    right = task.score(documents[0], generated("1"))
    failed = task.score(documents[1], [[Failed(1, "out of memory")]])
    missing = task.score(documents[2], [[None]])
    scored = task.score(documents[3], [[Generated(3, "4", "length", 8)]], cut_tokens=5)
    assert [row.flags for row in (*right, *failed, *missing, *scored)] == [
        (),
        ("error",),
        ("missing",),
        ("cut", "unfinished"),
    ]
    assert failed[0].sample["error"] == "out of memory"
    assert failed[0].metrics == {"exact_match": None} == missing[0].metrics
    figure = task.aggregate([*right, *failed, *missing, *scored])["exact_match,none"]
    assert figure.value == 1.0
    assert figure.ci95 is not None
    assert figure.ci95[0] < 1.0


def test_a_metric_that_raises_for_one_document_leaves_that_one_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"q": "a", "choices": ["x", "y"], "gold": 0}, {"q": "b", "choices": [], "gold": 0}]
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: gold\n'
    own_task(tmp_path, body + "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n", rows)
    ran = run(Registry([tmp_path]).load(["own"]))
    flags = {row.doc_id: row.flags for row in ran.rows["own"]}
    assert flags == {0: (), 1: ("error",)}
    assert ran.suite.aggregate(ran.rows).tasks["own"]["acc,none"].value in (0.0, 1.0)


def test_a_log_probability_that_is_no_number_is_an_error_never_a_score(tmp_path: Path) -> None:
    rows = [{"q": "a", "choices": ["x", "y"], "gold": 0}]
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: gold\n'
    own_task(tmp_path, body, rows)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    (document,) = task.build()
    (row,) = task.score(document, [[Scored(0, float("nan"), False)], [Scored(1, -1.0, False)]])
    assert row.flags == ("error",)
    assert set(row.metrics.values()) == {None}
    figures = task.aggregate([row])
    assert {figure.value for figure in figures.values()} == {None}
    assert all(figure.reason for figure in figures.values())


def test_an_answer_that_no_filter_finds_is_unparsed_and_still_scored(tmp_path: Path) -> None:
    filters = (
        "filter_list:\n  - name: number\n    filter:\n      - {function: regex, regex_pattern: '(\\d+)'}\n"
        "      - {function: take_first}\n"
    )
    own_task(tmp_path, GENERATE + filters, ROWS)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    document = task.build()[0]
    assert [task.score(document, generated(text))[0].flags for text in ("1", "one", "")] == [
        (),
        ("unparsed",),
        ("unparsed",),
    ]
    assert task.score(document, generated("one"))[0].metrics == {"exact_match": 0.0}


def test_repeats_are_asked_for_and_filtered_together(tmp_path: Path) -> None:
    filters = (
        "repeats: 3\nfilter_list:\n  - name: vote\n    filter: [{function: majority_vote}, {function: take_first}]\n"
    )
    own_task(tmp_path, GENERATE + filters, ROWS)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    document = task.build()[1]
    assert document.requests[0].repeats == 3
    texts = [[Generated(i, text, "stop", 1) for i, text in enumerate(("2", "7", "2"))]]
    assert task.score(document, texts)[0].metrics == {"exact_match": 1.0}


def test_rolling_texts_and_mutual_information_equal_lm_evals(tmp_path: Path) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    pages = [{"page": f"page {i} says {'x ' * i}한국어."} for i in range(5)]
    own_task(
        tmp_path, 'output_type: loglikelihood_rolling\ndoc_to_text: ""\ndoc_to_target: "{{page}}"\n', pages, "pages"
    )
    body = 'output_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: ["yes", "no"]\ndoc_to_target: 0\n'
    metrics = "metric_list:\n  - {metric: acc}\n  - {metric: acc_mutual_info}\n  - {metric: brier_score}\n"
    own_task(tmp_path, body + metrics, [{"q": f"Is {i}?"} for i in range(7)], "pmi")
    ran = run(Registry([tmp_path]).load(["pages", "pmi"]))
    with standing_in(tmp_path):
        manager = TaskManager(include_defaults=False, include_path=[tmp_path])
        theirs = lm_eval.simple_evaluate(oracle(), tasks=["pages", "pmi"], task_manager=manager)
    assert theirs is not None
    assert_equal_to_lm_eval(ran, theirs)
    assert set(ran.suite.tasks["pages"].metric_names) == {"word_perplexity", "byte_perplexity", "bits_per_byte"}


def test_a_filter_that_looks_at_all_documents_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "def rank(resps, docs):\n"
        "    flat = sorted(r for resp in resps for r in resp)\n"
        "    return [[str(flat.index(r)) for r in resp] for resp in resps]\n"
    )
    steps = "    filter:\n      - {function: custom, filter_fn: !function tools.rank}\n      - {function: take_first}\n"
    own_task(tmp_path, GENERATE + "filter_list:\n  - name: rank\n" + steps, ROWS)
    task = Registry([tmp_path], allow_task_code=True).load(["own"]).tasks["own"]
    documents, scorer = task.build(), task.scorer()
    for document in documents[1:]:
        assert scorer.add(document, generated(f"t{9 - document.doc_id}")) == []
    assert scorer.add(documents[0], [[Failed(0, "no")]]) == []
    rows = scorer.finish()
    assert [row.sample["filtered_resps"] for row in rows] == [[], ["4"], ["3"], ["2"], ["1"], ["0"]]
    assert rows[0].flags == ("error",)


# ── code ─────────────────────────────────────────────────────────────────────

CODE = """output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{tests}}"
repeats: 2
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 8, do_sample: true, temperature: 1.0}
filter_list:
  - name: code
    filter: []
sandbox: python
"""


def test_any_task_can_ask_for_code_to_be_run(tmp_path: Path) -> None:
    own_task(tmp_path, CODE, [{"q": "add", "tests": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]}])
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    (document,) = task.build()
    samples: list[list[Answer]] = [
        [Generated(0, "def add(a, b): return a + b", "stop", 9), Generated(1, "", "stop", 0)]
    ]
    programs = task.programs(document, samples)
    assert programs is not None
    assert [p.source for p in programs] == ["def add(a, b): return a + b", ""]
    assert programs[0].tests == "assert add(1, 2) == 3\nassert add(0, 0) == 0"
    assert programs[0].entry_point is None
    (row,) = task.score(document, samples, [Verdict("passed", "", 0.2), Verdict("failed", "assertion", 0.1)])
    assert row.metrics == {"pass@1": 0.5}
    assert (row.sample["verdict"], row.sample["seconds"]) == (["passed", "failed"], [0.2, 0.1])


def test_a_broken_sandbox_is_never_a_wrong_answer(tmp_path: Path) -> None:
    own_task(tmp_path, CODE.replace("repeats: 2", "repeats: 1"), [{"q": "add", "tests": "assert True"}] * 2)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    first, second = task.build()
    (broken,) = task.score(first, generated("x = 1"), [Verdict("sandbox_error", "no namespace", 0.0)])
    (passed,) = task.score(second, generated("x = 1"), [Verdict("passed", "", 0.1)])
    assert (broken.metrics, broken.flags) == ({"pass@1": None}, ("error",))
    assert (broken.sample["verdict"], broken.sample["program"]) == ("sandbox_error", "x = 1")
    assert task.aggregate([broken, passed])["pass@1,code"].value == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sandbox: perl", "'perl' cannot be run"),
        ("sandbox: {language: python, test: tests}", "unknown key 'test'; did you mean tests"),
        ("sandbox: {language: python, k: [0]}", "whole numbers above 0"),
        ("sandbox: [python]", "`python` or a mapping"),
    ],
)
def test_a_wrong_sandbox_key_says_what_is_wanted(tmp_path: Path, line: str, message: str) -> None:
    own_task(tmp_path, CODE.replace("sandbox: python", line), [{"q": "add", "tests": "assert True"}])
    with pytest.raises(ConfigError, match=message):
        Registry([tmp_path]).load(["own"])


# ── the user's own folders ───────────────────────────────────────────────────


def test_an_own_task_is_loaded_from_a_folder_a_file_and_by_a_group(tmp_path: Path) -> None:
    path = own_task(tmp_path, GENERATE + "metadata: {version: 2.0, headline: 'exact_match,none', chance: 0.1}\n", ROWS)
    (tmp_path / "all.yaml").write_text(
        "group: everything\ntask: [own]\naggregate_metric_list: [{metric: exact_match, weight_by_size: true}]\n"
    )
    suite = Registry([tmp_path]).load(["everything"])
    assert suite.leaves("everything") == ("own",)
    assert suite.headline("everything") == "exact_match,none"
    assert suite.tasks["own"].chance == 0.1
    assert list(Registry().load([str(path)]).tasks) == ["own"]
    ran = run(suite)
    figures = suite.aggregate(ran.rows)
    assert figures.groups["everything"]["exact_match,none"].value == figures.tasks["own"]["exact_match,none"].value


def test_the_task_files_in_the_documentation_hold(tmp_path: Path) -> None:
    import re

    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(task: .*?)```", page, re.DOTALL)
    (tmp_path / "first.yaml").write_text(first, encoding="utf-8")
    (tmp_path / "second.yaml").write_text(second, encoding="utf-8")
    for name in ("my_task", "examples"):
        jsonl(tmp_path / f"{name}.jsonl", [{"question": "하나?", "choices": ["가", "나"], "label": 1}] * 4)
    code = {"prompt": "def f():", "tests": "def check(c): assert c() == 1", "entry_point": "f"}
    jsonl(tmp_path / "my_code.jsonl", [code])
    shown = {item.task: item for item in validate_path(tmp_path).tasks}
    assert shown["my_task"].prompt.count("하나?") == 4
    assert shown["my_code"].prompt == "def f():"
    assert shown["my_code"].headline == "pass@1,create_test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: own\ndoc_to_text: {{q}}\n", r"own\.yaml:2: .*begins with \{\{ stands in quotes"),
        ("group: own\ntask: own\n", "group own is a member of itself"),
        ("task: own\noutput_type: generte\n", r"own\.yaml:2: output_type: 'generte' is none of generate_until"),
        ("task: own\nfilter_list: 3\n", r"own\.yaml:2: filter_list: a list is wanted"),
        ("task: own\n  doc_to_text: x\n", r"own\.yaml:2: not valid YAML"),
        ("task: own\ndoc_to_txt: x\n", r'own\.yaml:2: unknown key "doc_to_txt"; did you mean doc_to_text'),
        ("task: own\ninclude: missing.yaml\n", r"own\.yaml:2: include: .*missing\.yaml does not exist"),
        ("task: own\nprocess_docs: !function tools.x\n", r"own\.yaml:2: `!function tools\.x` runs .*--allow-task-code"),
    ],
)
def test_a_bad_task_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    for attempt in (lambda: Registry([tmp_path]).load(["own"]), lambda: validate_path(tmp_path / "own.yaml")):
        with pytest.raises(ConfigError, match=message):
            attempt()


KEYS = ("task", "group", "include", "output_type", "doc_to_text", "filter_list", "metadata", "sandbox", "class", "tag")
VALUES = (
    "own",
    "[a, b]",
    "{a: b}",
    "!function os.getcwd",
    "!!python/name:os.system",
    "3",
    "",
    "&x [*x]",
    "{",
    "'",
    "{{q}}",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=5).map(
            lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs)
        ),
        st.integers(1, 3000).map(lambda depth: "task: " + "[" * depth),
    )
)
def test_whatever_stands_in_a_task_file_the_answer_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with contextlib.suppress(EvalkitError):
        validate_path(path)


def test_code_of_a_task_file_runs_only_when_allowed(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef text(doc):\n    return doc['q']\n")
    own_task(tmp_path, GENERATE.replace('"Q: {{q}}\\nA:"', "!function tools.text"), ROWS)
    with pytest.raises(ConfigError, match="--allow-task-code"):
        Registry([tmp_path]).load(["own"])
    assert not (tmp_path / "ran").exists()
    task = Registry([tmp_path], allow_task_code=True).load(["own"]).tasks["own"]
    assert task.build()[0].requests[0].context == "0 + 1"


def test_a_metric_that_would_be_fetched_as_code_is_refused(tmp_path: Path) -> None:
    own_task(tmp_path, GENERATE.replace("metric: exact_match,", "metric: exact_macth,"), ROWS)
    with pytest.raises(ConfigError, match=r"'exact_macth' is none of lm-eval's metrics; did you mean exact_match"):
        Registry([tmp_path]).load(["own"])


def test_an_own_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    own_task(tmp_path, GENERATE.replace("{{q}}", "{{q.__class__.__mro__}}"), ROWS)
    with pytest.raises(ConfigError, match="unsafe"):
        Registry([tmp_path]).load(["own"])


@pytest.mark.hub
def test_an_own_task_joins_a_tag_and_does_not_empty_it(hub: Path, tmp_path: Path) -> None:
    own_task(tmp_path, GENERATE + "tag: mmlu_stem_tasks\n", ROWS)
    suite = Registry([tmp_path], data_dir=hub).load(["mmlu_stem"])
    assert len(suite.leaves("mmlu_stem")) == 20
    assert any("mmlu_stem_tasks" in note for note in suite.notes)


def test_no_documents_and_no_such_split_are_errors(tmp_path: Path) -> None:
    path = own_task(tmp_path, GENERATE, [])
    with pytest.raises(DataNotFound, match=r"own: data .* has no rows"):
        Registry([tmp_path]).load(["own"])
    path = own_task(tmp_path, GENERATE, ROWS)
    path.write_text(path.read_text().replace("test_split: test", "test_split: tset"))
    with pytest.raises(DataNotFound, match=r"no split 'tset' \(it has test\)"):
        Registry([tmp_path]).load(["own"])


def test_more_shots_than_examples_is_one_line(tmp_path: Path) -> None:
    own_task(tmp_path, GENERATE + "fewshot_split: test\n", ROWS)
    task = Registry([tmp_path]).load(["own"], num_fewshot=9).tasks["own"]
    with pytest.raises(UsageError, match="fewer than the 9 examples asked for"):
        task.build()


@pytest.mark.hub
def test_a_mirror_that_changed_is_read_anew(hub: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    list(pull_data(["humaneval"], tmp_path, DataSource(hub)))
    assert Registry(data_dir=tmp_path).load(["humaneval"]).tasks["humaneval"].size == 164
    file = next(tmp_path.glob("openai/openai_humaneval/*/*.parquet"))
    parquet.write_table(parquet.read_table(file).slice(0, 10), file)
    assert Registry(data_dir=tmp_path).load(["humaneval"]).tasks["humaneval"].size == 10


def test_validate_renders_a_document(tmp_path: Path) -> None:
    path = own_task(tmp_path, GENERATE, ROWS)
    found = validate_path(path)
    assert found.documents == {"own": 6}
    assert found.tasks[0].prompt == "Q: 0 + 1\nA:"
    with pytest.raises(ConfigError, match="no such file"):
        validate_path(tmp_path / "none.yaml")


def test_a_misspelt_field_is_found_when_the_file_is_validated(tmp_path: Path) -> None:
    path = own_task(tmp_path, GENERATE.replace("{{q}}", "{{question}}"), ROWS)
    with pytest.raises(ConfigError, match="'question' is undefined"):
        validate_path(path)


# ── data ─────────────────────────────────────────────────────────────────────


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


# ── what the model sees ──────────────────────────────────────────────────────


@pytest.mark.hub
def test_show_renders_as_the_model_sees_it(hub: Path, tiny_chat_model: Path, chat: Any) -> None:
    tokenizer = Tokenizer.load(ModelSpec("tiny-chat", str(tiny_chat_model)))
    shown = show_task(
        Registry(data_dir=hub),
        "mmlu",
        doc_id=2,
        tokenizer=tokenizer,
        chat_template=chat,
        num_fewshot=1,
        fewshot_as_multiturn=True,
    )
    assert shown.task == "mmlu_abstract_algebra"
    assert shown.prompt.startswith("<s>")
    assert len(shown.continuations) == 4
    assert shown.prompt_tokens
    assert shown.chat_template is not None
    assert shown.chat_template["source"] == "model"


@pytest.mark.hub
def test_identity_changes_with_what_determines_the_figures(hub: Path) -> None:
    def identity(**asked: Any) -> dict[str, Any]:
        task = Registry(data_dir=hub).load(["gsm8k"], **asked).tasks["gsm8k"]
        return task.identity(task.build(3))

    plain = identity()
    assert plain == identity()
    fewer = identity(num_fewshot=2)
    assert fewer["prompts_hash"] != plain["prompts_hash"]
    assert (fewer["data_hash"], fewer["config_hash"]) == (plain["data_hash"], plain["config_hash"])
    assert identity(gen_kwargs={"max_gen_toks": 3})["generation"] != plain["generation"]


def test_the_process_keeps_its_own_random_state(tmp_path: Path) -> None:
    import random

    own_task(tmp_path, GENERATE, ROWS)
    random.seed(5)
    before = random.getstate()
    Registry([tmp_path]).load(["own"]).tasks["own"].build()
    assert random.getstate() == before


def test_a_task_whose_documents_are_all_filtered_away_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "1 + 1?", "a": "2"}\n')
    (tmp_path / "none.py").write_text("def none(docs):\n    return docs.select([])\n")
    (tmp_path / "own_none.yaml").write_text(
        "task: own_none\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path / 'rows.jsonl'}}}}}\n"
        "test_split: test\nprocess_docs: !function none.none\noutput_type: generate_until\n"
        "doc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\nmetric_list: [{metric: exact_match}]\n"
    )
    with pytest.raises(UsageError, match="own_none has no documents"):
        Registry([tmp_path], allow_task_code=True).load(["own_none"])
