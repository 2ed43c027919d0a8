"""The transformers engine as a stream: what goes wrong for one request stays with it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evalkit.engines import huggingface
from evalkit.engines.base import Engine
from evalkit.errors import EngineError
from evalkit.types import (
    Failed,
    Generate,
    Sampling,
    Score,
    Scored,
    Work,
)
from tests.helpers.checkpoints import break_checkpoint
from tests.helpers.hf_engine import (
    TEXT,
    VOCAB,
    answers,
    ids,
    logprobs,
    spec,
    texts,
)

# ── what goes wrong for one request stays with it ────────────────────────────


def test_a_request_that_cannot_be_served_fails_alone(engine: Engine) -> None:
    good = Score((0,), array("i", [5, 6, 7]), (array("i", [8]),))
    work = [
        good,
        Score((1,), array("i", [5] * 2048), (array("i", [8, 9]),)),
        Score((2,), array("i", [5]), (array("i", [VOCAB]),)),
        Score((3,), array("i", [5]), (array("i", [8]),), adapter="nobody"),
        Generate((4,), array("i", [5] * 2040), Sampling(max_tokens=9)),
        Generate((5,), array("i"), Sampling(max_tokens=9), text="only text"),
        replace(good, ids=(6,), context=array("i", [5] * 2048)),
    ]
    found = answers(engine, work)
    assert isinstance(found[0], Scored)
    assert isinstance(found[6], Scored), "the last token of a continuation is never read"
    reasons = {id: answer.reason for id, answer in found.items() if isinstance(answer, Failed)}
    assert sorted(reasons) == [1, 2, 3, 4, 5]
    assert "window of 2,048" in reasons[1]
    assert "vocabulary" in reasons[2]
    assert "nobody" in reasons[3]


def test_it_rests_when_it_waits_for_more_and_not_before(engine: Any) -> None:
    seen: list[int] = []
    rested: list[tuple[int, bool]] = []

    def work() -> Iterator[Work | None]:
        items = [
            Score((0,), array("i", [5, 6]), (array("i", [8]),)),
            Generate((1,), array("i", [5, 6]), Sampling(max_tokens=12)),
        ]
        for number, item in enumerate(items):
            yield item
            while not engine.resting:
                rested.append((number, number in seen))
                yield None
            assert seen == list(range(number + 1)), "all that was handed in has ended"

    for answer in engine.run(work()):
        seen.append(answer.id)
    assert rested


def test_nan_is_never_a_score(tiny_model: Path, tmp_path: Path) -> None:
    engine = huggingface.load(spec(break_checkpoint(tiny_model, tmp_path / "nan", "nan")))
    found = answers(
        engine,
        [
            Score((0, 1), array("i", [5, 6]), (array("i", [7]), array("i", [8, 9]))),
            Generate((2,), array("i", [5, 6]), Sampling(max_tokens=4)),
        ],
    )
    assert sorted(found) == [0, 1, 2]
    for answer in found.values():
        assert isinstance(answer, Failed)
        assert "NaN logits" in answer.reason


def test_out_of_memory_halves_the_batch_and_goes_on(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that takes 60 tokens a pass, prompts of up to 40, and one of 300 that may fail, but alone."""
    from evalkit.engines.huggingface.model import Model

    engine = huggingface.load(spec(tiny_model))
    prompts = [array("i", [5 + i, *range(10, 30 + i)]) for i in range(12)]
    work: list[Work] = [Score((i,), prompt, (array("i", [8]),)) for i, prompt in enumerate(prompts)]
    work += [Generate((100 + i,), prompt, Sampling(max_tokens=5)) for i, prompt in enumerate(prompts)]
    expected = answers(engine, work)
    through = Model.forward

    def small(self: Model, ids: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if ids.numel() > 60:
            raise torch.OutOfMemoryError("CUDA out of memory (a small device)")
        return through(self, ids, *args, **kwargs)

    monkeypatch.setattr(Model, "forward", small)
    long = Score((999,), array("i", range(10, 310)), (array("i", [8]),))
    found = answers(engine, [*work, long])
    assert isinstance(found.pop(999), (Scored, Failed))
    assert texts({id: a for id, a in found.items() if id >= 100}) == texts(
        {id: a for id, a in expected.items() if id >= 100}
    )
    for id in range(12):
        assert logprobs({id: found[id]})[id] == pytest.approx(logprobs({id: expected[id]})[id], abs=1e-4)


def test_an_engine_that_cannot_go_on_says_so_after_what_had_finished(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.huggingface.model import Model

    engine = huggingface.load(spec(tiny_model))
    stream = engine.run(iter([Score((0,), array("i", [5, 6]), (array("i", [7]),)), *[None] * 5, _later()]))
    assert isinstance(next(stream), Scored)

    def broken(*args: Any, **kwargs: Any) -> torch.Tensor:
        raise RuntimeError("CUDA error: device-side assert triggered\nmore lines")

    monkeypatch.setattr(Model, "forward", broken)
    with pytest.raises(EngineError, match="device-side assert"):
        list(stream)


def test_out_of_memory_while_rows_join_loses_none_of_them(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.engines.huggingface import generate

    engine = huggingface.load(spec(tiny_model), batch_size=6)
    sampling = Sampling(max_tokens=12, temperature=0.8, seed=3)
    work = [Generate((i,), ids(TEXT[i], tiny_model), replace(sampling, max_tokens=2 + i)) for i in range(16)]
    expected = texts(answers(engine, work))
    through, calls = generate.left_padded, iter(range(100))

    def now_and_then(*args: Any) -> Any:
        if next(calls) in {0, 2}:
            raise torch.OutOfMemoryError("CUDA out of memory (a small device)")
        return through(*args)

    monkeypatch.setattr(generate, "left_padded", now_and_then)
    assert texts(answers(engine, work)) == expected


def _later() -> Score:
    return Score((1,), array("i", [5, 6]), (array("i", [9]),))


# ── the stream ───────────────────────────────────────────────────────────────


def test_answers_come_before_the_stream_ends_and_both_kinds_run_side_by_side(engine: Engine) -> None:
    """Each item is fed only after an answer to the one before: an engine that waited for the end would never finish."""
    seen: list[int] = []

    def feed() -> Iterator[Work | None]:
        for step in range(6):
            prompt = array("i", [5, 6, 7 + step])
            if step % 2:
                yield Generate((step,), prompt, Sampling(max_tokens=20))
            else:
                yield Score((step,), prompt, (array("i", [8]),))
            while step not in seen:
                yield None

    for answer in engine.run(feed()):
        seen.append(answer.id)
    assert seen == list(range(6))
    long = Generate((0,), array("i", [5, 6]), Sampling(max_tokens=400))
    scores = [Score((1 + i,), array("i", [5, 6, 7 + i]), (array("i", [8]),)) for i in range(20)]
    order = [answer.id for answer in engine.run(iter([long, *scores]))]
    assert order.index(0) > order.index(1), "scoring waited for a long generation"


def test_work_is_pulled_when_there_is_room_not_all_at_once(engine: Engine) -> None:
    pulled = 0

    def feed() -> Iterator[Work]:
        nonlocal pulled
        for i in range(5000):
            pulled += 1
            yield Score((i,), array("i", [5 + i % 900, 6]), (array("i", [8]),))

    stream = engine.run(feed())
    next(stream)
    assert pulled < 1500
    stream.close()  # type: ignore[attr-defined]
