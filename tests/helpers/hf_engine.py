"""What the tests of the transformers engine ask it, and how they read its answers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evalkit.engines.base import Engine
from evalkit.types import (
    Answer,
    Generated,
    ModelSpec,
    Scored,
    Work,
)
from tests.helpers.checkpoints import corpus

VOCAB = 1024


TEXT = corpus(400, seed=11)


STOPS = ("\n\n", "?", "Q:")


def spec(folder: Path, **fields: Any) -> ModelSpec:
    return ModelSpec(typed=folder.name, source=str(folder), dtype="float32", **fields)


def hflm(folder: Path, **options: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", **{"batch_size": 4, **options})


def ids(text: str, folder: Path) -> array[int]:
    from transformers import AutoTokenizer

    return array("i", AutoTokenizer.from_pretrained(folder).encode(text))


def answers(engine: Engine, work: Sequence[Work | None]) -> dict[int, Answer]:
    found: dict[int, Answer] = {}
    for answer in engine.run(iter(work)):
        assert answer.id not in found, "two answers to one request"
        found[answer.id] = answer
    return found


def logprobs(found: dict[int, Answer]) -> dict[int, float]:
    assert all(isinstance(answer, Scored) for answer in found.values()), found
    return {id: answer.logprob for id, answer in found.items() if isinstance(answer, Scored)}


def texts(found: dict[int, Answer]) -> dict[int, str]:
    assert all(isinstance(answer, Generated) for answer in found.values()), found
    return {id: answer.text for id, answer in found.items() if isinstance(answer, Generated)}


@torch.no_grad()
def alone(net: Any, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
    """The log-probability by the book: one prompt, one pass, nothing shared."""
    whole = torch.tensor([[*context, *continuation]])
    rows = net(whole[:, :-1]).logits[0, -len(continuation) :].float().log_softmax(-1)
    wanted = whole[0, -len(continuation) :]
    return float(rows.gather(1, wanted[:, None]).sum()), bool((rows.argmax(-1) == wanted).all())


def questions() -> list[tuple[str, list[str]]]:
    """Two subjects with shots of their own, questions of unlike lengths; one-token and longer choices."""
    asked = []
    for subject in range(2):
        shots = "".join(TEXT[20 * subject : 20 * subject + 6])
        for number in range(8):
            question = shots + "".join(TEXT[100 + 3 * number : 101 + 3 * number + number % 3]) + " Answer:"
            long = [" the water and the law", " state of", " water", " the water of a court in history"]
            asked.append((question, [" A", " B", " C", " D"] if number % 2 else long))
    return asked


def decode_tokens(folder: Path, tokens: list[int]) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(folder).decode(tokens, skip_special_tokens=True))
