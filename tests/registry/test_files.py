"""Task files of the user's own: found, checked line by line, and held to what they may do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError, DataNotFound, EvalkitError, UsageError
from evalkit.registry import (
    DataSource,
    Registry,
    pull_data,
    validate_path,
)
from tests.helpers.oracle import run
from tests.helpers.owntasks import GENERATE, ROWS, jsonl, own_task


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
