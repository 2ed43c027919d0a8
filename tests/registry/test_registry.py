"""From names to tasks, groups and cards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.errors import CouldNotDo, UnknownTask
from evalkit.registry import (
    Registry,
)


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
    with pytest.raises(CouldNotDo, match=r"mbpp_plus_instruct runs the model's code .*sandbox: python"):
        Registry().load(["mbpp_plus_instruct"])
