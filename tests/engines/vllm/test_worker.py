"""vLLM's process: what ends it, what it says, and that it never outlives the harness."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines.vllm import VllmEngine, load
from evalkit.errors import EngineError, UsageError
from evalkit.types import (
    Generate,
    Generated,
    ModelSpec,
    Sampling,
    Score,
    Work,
)
from tests.helpers.losing_vllm import LOST, losing
from tests.helpers.processes import children, lives, wait_until_ended
from tests.helpers.vllm_work import (
    LENGTH,
    Items,
    answers,
    ids,
    needs_vllm,
    some,
    some_scores,
    spec,
)

# ── a second engine, for what changes or ends one ────────────────────────────


@pytest.mark.vllm
@needs_vllm
def test_reasoning_models_a_lost_answer_and_a_dead_engine(
    tiny_model: Path, truth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One start for all: a marker that the model writes, outputs that vLLM loses, then SIGKILL mid-run."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rng = random.Random(50)
    prompt = some(rng, 30)
    pieces = [tokenizer.decode([token]) for token in truth.greedy(prompt, 20)]
    at = next(n for n in range(4, 20) if pieces[n].strip() and pieces[n] not in "".join(pieces[:n]))
    marker = pieces[at]
    model = ModelSpec(
        "tiny",
        str(tiny_model),
        dtype="float32",
        args={"max_model_len": LENGTH, "enforce_eager": True, "think_end_token": marker},
    )
    losing(monkeypatch)
    engine = load(model)
    try:
        knobs = (("ignore_eos", True),)
        items = Items()
        items.generate(prompt, Sampling(20, extra=knobs))
        items.generate(prompt, Sampling(at - 1, extra=knobs))
        found = answers(engine, items.works)
        whole, cut = found[0], found[1]
        assert isinstance(whole, Generated)
        assert isinstance(cut, Generated)
        assert whole.reasoning is not None
        assert whole.reasoning.startswith("".join(pieces[: at - 1])[:4])
        assert marker not in whole.text
        assert (cut.text, cut.finish) == ("", "unfinished")
        assert cut.reasoning

        ends_although_answers_are_lost(engine, rng)

        # The terminal's Ctrl-C must not reach the worker: it has a session of its own.
        worker = engine.pid
        assert os.getsid(worker) == worker != os.getsid(0)

        quick = some_scores(rng, 100)
        slow: list[Work] = [Generate((n,), some(rng, 10), Sampling(400, extra=knobs)) for n in range(60)]
        got: list[int] = []

        def watched() -> None:
            for answer in engine.run(iter([*quick, *slow])):
                got.append(answer.id)
                os.kill(worker, signal.SIGKILL)

        with pytest.raises(EngineError) as raised:
            watched()
        assert 100 in got, "what had finished was given out first"
        line = str(raised.value)
        assert "\n" not in line
        assert "died" in line
        assert "signal 9" in line
        with pytest.raises(EngineError):
            list(engine.run(iter(quick)))
    finally:
        engine.close()
    engine.close()


def ends_although_answers_are_lost(engine: VllmEngine, rng: random.Random) -> None:
    lost = ids(LOST) + some(rng, 20)
    items = Items()
    items.score(lost, ids(5), ids(7, 9))
    items.generate(lost, Sampling(4))
    items.score(some(rng, 20), ids(5), ids(7, 9))
    assert answers(engine, items.works).keys() == {3, 4}

    def work() -> Iterator[Work | None]:
        yield from items.works
        while not engine.resting:
            yield None
        yield Score((9,), ids(5, 6), (ids(7),))
        assert not engine.resting, "it has work from the moment it takes it"

    assert answers(engine, work()).keys() == {3, 4, 9}


@pytest.mark.vllm
@needs_vllm
def test_a_worker_that_loads_vllm_does_not_outlive_a_killed_harness_by_two_seconds(tiny_model: Path) -> None:
    """tests/runner/test_kills_vllm.py holds the same of one at work."""
    code = (
        "import sys, time\n"
        "from evalkit.engines.vllm.process import Worker\n"
        "from evalkit.engines.vllm.messages import Start\n"
        "from evalkit.types import ModelSpec\n"
        "worker = Worker('evalkit.engines.vllm.worker')\n"
        f"spec = ModelSpec('m', {str(tiny_model)!r}, dtype='float32', args={{'enforce_eager': True}})\n"
        "worker.send(Start(spec, (), (), None, None))\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        worker = int(harness.stdout.readline())
        deadline = time.monotonic() + 300
        while not (below := children(worker)):  # it has begun: what watches over it is there
            assert time.monotonic() < deadline
            assert lives(worker)
            time.sleep(0.05)
        harness.kill()
        assert wait_until_ended([worker, *below], seconds=2) == []


DISAGREEING = """
import sys
from evalkit.engines.vllm import client, starting
from evalkit.engines.vllm.messages import Start
from evalkit.engines.vllm.scoring import Reading
from evalkit.types import ModelSpec

chosen = []
choose = starting._choose

def every_version(real, *args, **kwargs):
    chosen.append(choose(real, *args, **kwargs))
    account = client.Client._account
    # A version that does not say how much of a prompt was cached: what stands there is taken for true.
    client.Client._account = lambda self, prompt, output: account(self, prompt, output) * 0
    chosen.append(choose(real, *args, **kwargs))
    # One whose labels are off as well, unless nothing is read from the cache.
    reading = client.Client.reading
    def off(self, ask, output):
        read = reading(self, ask, output)
        shift = 0.0 if ask.from_scratch else 0.01
        return Reading([(own - shift, best) for own, best in read.labels], read.rows)
    client.Client.reading = off
    chosen.append(choose(real, *args, **kwargs))
    return chosen[-1]

starting._choose = every_version
args = {"max_model_len": 512, "enforce_eager": True}
ready = starting.start_engine(Start(ModelSpec("m", sys.argv[1], dtype="float32", args=args), (), (), None, None)).ready
for way, test, warnings in chosen:
    print("WAY", way, "|", " ".join(warnings))
print("MANIFEST", ready.description["scoring_path"], ready.warnings == tuple(chosen[-1][2]), flush=True)
import os
os._exit(0)
"""


@pytest.mark.vllm
@needs_vllm
def test_a_version_that_gives_other_numbers_goes_a_slower_way_and_says_so(tiny_model: Path) -> None:
    """The real vLLM, read as versions would be whose rows or labels are wrong."""
    done = subprocess.run(
        [sys.executable, "-c", DISAGREEING, str(tiny_model)], capture_output=True, text=True, timeout=600
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("WAY", "MANIFEST"))]
    assert len(lines) == 4, done.stderr[-2000:]
    fast, labels, plain, manifest = lines
    assert fast == "WAY fast | "
    assert labels.startswith("WAY labels | vLLM ")
    assert "each token of a choice is asked for on its own" in labels
    assert plain.startswith("WAY plain | vLLM ")
    assert "one whole prompt for each choice" in plain
    assert manifest == "MANIFEST plain True"


@pytest.mark.vllm
@needs_vllm
def test_what_cannot_start_says_so_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean max_model_len"):
        load(ModelSpec("tiny", str(tiny_model), args={"max_model_lenn": 5}))
    with pytest.raises(UsageError, match=r"--model-args gpu_memory_utilization=lots: .* number"):
        load(ModelSpec("tiny", str(tiny_model), args={"gpu_memory_utilization": "lots"}))
    with pytest.raises(EngineError) as raised:
        load(ModelSpec("broken", str(tmp_path), dtype="float32"))
    assert "\n" not in str(raised.value)
    assert "broken" in str(raised.value)


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install"):
        load(dataclasses.replace(spec(), source=str(tiny_model)))
