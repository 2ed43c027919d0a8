"""Python functions to be written from a description: the train part of what `mini_code` asks, and new names."""

from __future__ import annotations

import random
from collections.abc import Callable

from tools.nano import code
from tools.nano.instructions.dialogue import Dialogue, ask, made_up, one
from tools.nano.split import draw

__all__ = ["FAMILY"]


def function(rng: random.Random) -> Dialogue:
    doc = draw(code.make, rng, "train").doc
    head, says, _ = doc["prompt"].split("\n")
    says = says.strip().strip('"').rstrip(".")
    if rng.random() < 0.7:
        name = "_".join(made_up(rng) for _ in range(rng.randint(1, 2)))
        head = head.replace(doc["entry_point"], name)
    signature = head.removeprefix("def ").removesuffix(":")
    name = signature.split("(")[0]
    does = says[0].lower() + says[1:]
    asked = one(
        rng,
        f"Python, please: {signature} should {does}.",
        f"Write {signature} in Python: {says}. Just code.",
        f"파이썬으로 {signature} 함수를 작성해 주세요. {says}.",
        f"Define {signature} in Python. It has to {does}. Code only.",
        f"I need the Python function {signature}: {says}.",
        f"{says}. Name the Python function {name} and show only its code.",
        f"Implement this:\n{head}\n# {says}",
        f"파이썬 함수 {signature}를 만드세요. {says}. 코드만 답하세요.",
        f"{signature}: {says}. 이 파이썬 함수를 구현하세요.",
    )
    return ask(asked, f"{head}\n{doc['canonical_solution'].rstrip()}")


FAMILY: Callable[[random.Random], Dialogue] = function
