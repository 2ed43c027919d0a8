"""A bound on the time of regular expressions that others wrote."""

from __future__ import annotations

import json
import re
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from evalkit.errors import CheckpointError
from evalkit.models import adapters
from evalkit.registry import Registry, grading
from evalkit.timelimit import TooSlow, at_most
from tests.helpers.owntasks import GENERATE, ROWS, generated, own_task

ENDLESS = "(a+)+$"
"""Takes longer for each letter by a half: hours for forty."""
ANSWER = "a" * 60 + "b"

pytestmark = pytest.mark.timeout(120)


def test_a_search_is_ended_and_what_was_set_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[1]
    with pytest.raises(TooSlow, match=r"the filter x took more than 0\.05 s"), at_most(0.05, "the filter x"):
        re.findall(ENDLESS, ANSWER)
    with at_most(60, "nothing"):
        pass
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[1]) == before


def test_a_timer_that_was_set_before_still_rings() -> None:
    rung = threading.Event()
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    try:
        signal.signal(signal.SIGALRM, lambda *_: rung.set())
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with at_most(60, "nothing"):
            pass
        assert rung.wait(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def test_another_thread_works_without_a_bound() -> None:
    done: list[int] = []

    def work() -> None:
        with at_most(0.01, "nothing"):
            done.append(sum(range(1000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [499500]


@pytest.mark.parametrize("where", ["filter_list", "regexes_to_ignore"])
def test_a_task_files_endless_expression_costs_its_own_document_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    body = (
        GENERATE
        + f"filter_list:\n  - name: slow\n    filter:\n      - {{function: regex, regex_pattern: '{ENDLESS}'}}\n"
    )
    if where == "regexes_to_ignore":
        body = GENERATE.replace("{metric: exact_match,", f"{{metric: exact_match, regexes_to_ignore: ['{ENDLESS}'],")
    own_task(tmp_path, body, ROWS)
    task = Registry([tmp_path]).load(["own"]).tasks["own"]
    first, second, *_ = task.build()
    scorer = task.scorer()
    with monkeypatch.context() as short:
        short.setattr(grading, "_SECONDS", 0.2)
        (slow,) = scorer.add(first, generated(ANSWER))
    (quick,) = scorer.add(second, generated("aaa"))
    assert "took more than 0.2 s" in str(slow.sample["error"])
    assert quick.flags == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"target_modules": "(.*_?)*x"}, "target_modules of its adapter_config.json: the regular expression"),
        ({"exclude_modules": "(.*_?)*x"}, "exclude_modules"),
        ({"rank_pattern": {"q_proj": 4, "(.*_?)*x": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"(.*_?)*x": 4}}, "alpha_pattern"),
        ({"target_modules": "*"}, "nothing to repeat"),
    ],
)
def test_an_adapters_endless_expression_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], says: str
) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    module = "model.layers.0.self_attn.q_proj"
    save_file({f"{module}.weight": np.ones((4, 4), np.float32)}, base / "model.safetensors")
    halves = {f"base_model.model.{module}.lora_{side}.weight": np.ones((4, 4), np.float32) for side in "AB"}
    save_file(halves, adapter / "adapter_model.safetensors")
    plain = {"peft_type": "LORA", "r": 4, "target_modules": r".*\.(q_proj|v_proj)"}
    (adapter / "adapter_config.json").write_text(json.dumps(plain))
    adapters.check_fits(base, adapter)
    (adapter / "adapter_config.json").write_text(json.dumps({**plain, **settings}))
    monkeypatch.setattr(adapters, "_SECONDS", 0.2)
    with pytest.raises(CheckpointError, match=says):
        adapters.check_fits(base, adapter)
