"""Which settings make two runs the same run."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.results import Manifest, same_settings
from tests.helpers.quizruns import manifest


def test_what_cannot_change_an_answer_is_no_setting() -> None:
    other = manifest(command=["evalkit", "run", "--batch-size", "8"], hardware={"gpu": "x"}, created="later")
    other["requested"] = list(reversed(other["requested"]))
    other["engine"] = {"name": "vllm", "version": "1"}
    other["model_args"] = {"gpu_memory_utilization": 0.5}
    other["replicas"] = {"count": 8, "hosts": ["a", "b"], "lost": 1, "sent_again": 40, "split_groups": 2}
    assert (
        same_settings(
            *map(Manifest.model_validate, (manifest(engine={"name": "vllm", "version": "2"}, model_args={}), other))
        )
        == []
    )


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 5},
        {"requested": ["quiz", "more"]},
        {"model": {"typed": "nano", "source": "org/nano", "fingerprint": "f1"}},
        {"adapter": {"name": "ko", "fingerprint": "a"}},
        {"engine": {"name": "huggingface"}},
        {"chat_template": {"applied": True}},
        {"seeds": {"random": 1}},
        {"sampling": {"temperature": 1.0}},
        {"model_args": {"dtype": "float16"}},
        {"tasks": {"quiz": {"num_fewshot": 5}}},
    ],
)
def test_what_can_change_an_answer_is_named(change: dict[str, Any]) -> None:
    base = manifest(
        adapter=None,
        engine={"name": "vllm"},
        chat_template={"applied": False},
        seeds={"random": 0},
        sampling={},
        model_args={},
        tasks={"quiz": {"num_fewshot": 0}},
    )
    [difference] = same_settings(*map(Manifest.model_validate, (base, {**base, **change})))
    assert "→" in difference
