"""Instruction data for `nano`: conversations of nine families in English and Korean, made on the fly from a seed.

The families are what people tune for, and so what the instruct probe asks for too; none of its prompts and answers
is here. A third of the things talked about are made up, so that reciting does not help. `tests/test_demo.py` holds
the probe's prompts and answers against what comes out here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tools.nano.instructions import formats, functions, letters, memory, records, rules, summaries, tables, translation
from tools.nano.instructions.dialogue import Dialogue

__all__ = ["FAMILIES", "Dialogue", "dialogue"]

FAMILIES: Mapping[str, tuple[float, Callable[[random.Random], Dialogue]]] = {
    "tables": (1.5, tables.FAMILY),
    "records": (1.5, records.FAMILY),
    "letters": (0.8, letters.FAMILY),
    "translation": (2.0, translation.FAMILY),
    "summaries": (1.0, summaries.FAMILY),
    "functions": (1.0, functions.FAMILY),
    "formats": (4.0, formats.FAMILY),
    "rules": (4.0, rules.FAMILY),
    "memory": (2.5, memory.FAMILY),
}
"""How often each is drawn, and what draws one."""


def dialogue(rng: random.Random) -> Dialogue:
    shares = [share for share, _ in FAMILIES.values()]
    _, make = rng.choices(list(FAMILIES.values()), shares)[0]
    return make(rng)
