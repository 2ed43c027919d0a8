"""What a task shows of itself, and what determines its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, UsageError
from evalkit.registry import (
    Registry,
    list_tasks,
    show_task,
    validate_path,
)
from evalkit.tokens import Tokenizer
from evalkit.types import ModelSpec
from tests.helpers.owntasks import GENERATE, ROWS, own_task


def test_the_shipped_list_has_the_facts() -> None:
    listed = {item.name: item for item in list_tasks()}
    for name in ("mmlu", "hellaswag", "gsm8k", "gsm8k_cot", "bbh", "humaneval", "humaneval_64", "humaneval_instruct"):
        item = listed[name]
        assert item.source == "shipped"
        assert item.headline
        assert item.citation
        assert item.license == "MIT"
        assert item.wraps == name


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
