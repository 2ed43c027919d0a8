"""Instruction data for `nano`: conversations of nine families in English and Korean, made on the fly from a seed.

No prompt was written after one of the instruct probe's, and most values are made up. `tests/test_demo.py` holds
the probe's prompts and answers against what comes out here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tools.nano.instructions import formats, functions, letters, memory, records, rules, summaries, tables, translation
from tools.nano.instructions.dialogue import Dialogue

__all__ = ["FAMILIES", "Dialogue", "dialogue"]

FAMILIES: Mapping[str, tuple[float, Callable[[random.Random], Dialogue]]] = {
    "tables": (2.0, tables.FAMILY),
    "records": (2.0, records.FAMILY),
    "letters": (1.5, letters.FAMILY),
    "translation": (2.0, translation.FAMILY),
    "summaries": (1.5, summaries.FAMILY),
    "functions": (1.5, functions.FAMILY),
    "formats": (3.0, formats.FAMILY),
    "rules": (3.0, rules.FAMILY),
    "memory": (2.0, memory.FAMILY),
}
"""How often each is drawn, and what draws one."""


def dialogue(rng: random.Random) -> Dialogue:
    shares = [share for share, _ in FAMILIES.values()]
    _, make = rng.choices(list(FAMILIES.values()), shares)[0]
    return make(rng)
