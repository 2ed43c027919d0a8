"""Rows, figures and prompts are lm-eval's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.registry import (
    Registry,
)
from evalkit.types import Verdict
from tests.helpers.oracle import answer, answers, compare, standing_in


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
