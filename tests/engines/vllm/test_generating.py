"""Seeds of samples, reasoning and the text of an answer. No engine is started."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.engines.vllm.generating import Thinking, finished_text, sample_seed
from evalkit.types import (
    Sampling,
)
from tests.helpers.vllm_work import (
    ids,
)


def test_sample_seeds_do_not_depend_on_the_samples_beside_them() -> None:
    sampling = Sampling(8, temperature=1.0)
    seeds = [sample_seed(sampling, ids(1, 2), n) for n in range(64)]
    assert len(set(seeds)) == 64
    assert all(isinstance(s, int) and 0 <= s < 2**63 for s in seeds)
    assert sample_seed(sampling, ids(1, 3), 0) != seeds[0], "documents do not share their dice"
    assert sample_seed(Sampling(8, temperature=1.0, seed=42), ids(1, 2), 0) == 42
    assert sample_seed(Sampling(8), ids(1, 2), 5) is None


THINK = Thinking("</think>", "</s>")


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("a\n\nb</think>\n42\n\nQ", "length", ("42", "a\n\nb", "stop")),
        ("a</think>b</think> 7", "stop", ("7", "a</think>b", "stop")),
        ("still going", "length", ("", "still going", "unfinished")),
        ("<think>gave up", "stop", ("", "<think>gave up", "unfinished")),
        ("no thinking at all", "stop", ("no thinking at all", None, "stop")),
    ],
)
def test_reasoning_is_kept_apart_and_cut_off_reasoning_is_no_answer(
    text: str, finish: Any, expected: tuple[str, str | None, str]
) -> None:
    assert finished_text(text, finish, ["\n\n"], THINK) == expected


def test_the_text_is_lm_evals() -> None:
    from lm_eval.models.utils import postprocess_generated_text

    for text in ("x\n\ny", "a</think> b\n\nc</think>d Q e", "plain", "Q"):
        for think in (None, "</think>"):
            if think and think not in text:
                continue
            ours = finished_text(text, "stop", ["\n\n", "Q"], Thinking(think) if think else None)[0]
            assert ours == postprocess_generated_text(text, ["\n\n", "Q"], think)
