"""`mini_knowledge`: four choices, one right, a letter to answer with."""

from __future__ import annotations

import random

from tools.nano.facts import RELATIONS
from tools.nano.split import Item

__all__ = ["make"]

# Relations differ in size; every fact is to come up equally often.
_FACTS = tuple((relation, entity, value) for relation in RELATIONS for entity, value in relation.pairs)


def make(rng: random.Random) -> Item:
    relation, entity, value = rng.choice(_FACTS)
    wrong = rng.sample([other for other in relation.values if other != value], 3)
    choices = [value, *wrong]
    key = f"knowledge/{relation.name}/{entity}/{'|'.join(sorted(choices))}"
    rng.shuffle(choices)
    question = rng.choice(relation.questions).format(entity)
    doc = {
        "subject": relation.name,
        "fact": f"{relation.name}/{entity}",
        "question": question[0].upper() + question[1:],
        "choices": choices,
        "answer": choices.index(value),
    }
    return Item(key, doc)
