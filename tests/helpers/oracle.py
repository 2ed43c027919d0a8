"""lm-eval as the oracle: made-up answers of a prompt, runs of ours and of lm-eval's, and their comparison."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalkit.registry import (
    Document,
    Registry,
    Suite,
)
from evalkit.types import Answer, Generated, Request, Row, Scored

FOLDERS = ("mmlu/default", "hellaswag", "gsm8k", "bbh/cot_fewshot", "kobest", "bbq", "crows_pairs", "click")
OUTPUTS = (
    " so #### {n}",
    " The answer is {n}.",
    " the answer is ({letter}).",
    "",
    "{n} apples, or $1,{n}00.",
    "So the answer is Yes. \n\nQ",
    "    return {n}\n```\nThat was it.",
)


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


def simple_evaluate(*args: Any, **asked: Any) -> dict[str, Any]:
    """lm-eval's own run, without the description of the machine that it spends seconds on."""
    import lm_eval
    from torch.utils import collect_env

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect_env, "get_pretty_env_info", lambda: "left out")
        done: dict[str, Any] = lm_eval.simple_evaluate(*args, **asked)
    return done


def manager_of(*folders: str | Path) -> Any:
    """lm-eval's task manager over these folders: its index of all tasks takes ten seconds to build."""
    from lm_eval.tasks import TaskManager

    from evalkit.registry.lmeval import BUILTIN_TASKS

    return TaskManager(include_defaults=False, include_path=[str(BUILTIN_TASKS / folder) for folder in folders])


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


def assert_equal_to_lm_eval(ran: Ran, theirs: Any, *, stderrs: bool = True) -> None:
    """Rows, figures and standard errors. `stderrs` False: lm-eval was told to compute none."""
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
        together = {
            f"{metric}_stderr"
            for leaf in ran.suite.leaves(name)
            for row in ran.suite.tasks[leaf].with_contributions(ran.rows[leaf])
            for metric in row.corpus
        }
        for key, value in metrics.items():
            metric, comma, filter_name = key.partition(",")
            if not comma:
                continue
            compared += 1
            if metric.endswith("_stderr"):
                if not stderrs:
                    continue
                stderr = mine[f"{metric.removesuffix('_stderr')},{filter_name}"].stderr
                # lm-eval has none for some figures of all documents together, where evalkit has a bootstrap's.
                assert stderr == value or (value == "N/A" and (stderr is None or metric in together)), (name, key)
            else:
                # What is no number is not known, and says why.
                unknown = value != value and mine[key].value is None and mine[key].reason
                assert mine[key].value == value or unknown, (name, key)
    assert compared


def compare(
    hub: Path, names: list[str], limit: float | None, template: Any = None, *, stderrs: bool = True, **asked: Any
) -> Ran:
    """`stderrs` False leaves out standard errors: lm-eval's come from 100,000 draws, which takes very long."""
    multiturn, system = asked.pop("multiturn", False), asked.pop("system", None)
    suite = Registry(data_dir=hub).load(names, **asked)
    ran = run(suite, limit, chat_template=template, fewshot_as_multiturn=multiturn, system_instruction=system)
    with standing_in(hub):
        theirs = simple_evaluate(
            oracle(template),
            tasks=names,
            limit=limit,
            task_manager=manager_of(*FOLDERS),
            apply_chat_template=template is not None,
            fewshot_as_multiturn=multiturn,
            system_instruction=system,
            **({} if stderrs else {"bootstrap_iters": 0}),
            **asked,
        )
    assert_equal_to_lm_eval(ran, theirs, stderrs=stderrs)
    return ran
