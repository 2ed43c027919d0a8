"""`mini_endings`: four ways to go on, one of which follows from what was said.

One wrong ending speaks of the same situation but of another thing; the others belong to other situations.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tools.nano.split import Item
from tools.nano.words import NAMES, article

__all__ = ["SCENES", "make", "story"]


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    things: tuple[str, ...]
    openings: tuple[str, ...]
    """`{n}` the person, `{a}` the thing with its article, `{x}` the thing."""
    endings: tuple[str, ...]


def _scene(name: str, things: str, openings: tuple[str, ...], endings: tuple[str, ...]) -> Scene:
    return Scene(name, tuple(things.split()), openings, endings)


SCENES: tuple[Scene, ...] = (
    _scene("kitchen", "apple pear carrot tomato melon onion lemon radish",
           ("{n} came home hungry and found {a} in the kitchen.",
            "{n} wanted a snack and took {a} from the table.",
            "There was {a} in the fridge of {n}."),
           ("washed the {x} and ate it slowly.", "cut the {x} into pieces and ate it.",
            "ate the {x} with some salt.")),
    _scene("garden", "rose tulip bush vine fern oak lily daisy",
           ("{n} bought {a} for the garden.", "In spring {n} dug a hole for {a}.",
            "{n} came back with soil and {a}."),
           ("planted the {x} and watered it.", "put soil around the {x} every week.",
            "watered the {x} and it grew.")),
    _scene("library", "novel atlas poem comic map diary guide tale",
           ("{n} borrowed {a} from the library.", "{n} found {a} on a shelf in the library.",
            "The library lent {n} {a} for a week."),
           ("read the {x} until midnight.", "opened the {x} and read the first page.",
            "read the {x} and gave it back.")),
    _scene("workshop", "bike clock lamp radio chair toaster fan heater",
           ("{n} brought a broken {x} to the workshop.", "The {x} of {n} did not work any more.",
            "A wire in the {x} of {n} was loose."),
           ("repaired the {x} with a screwdriver.", "took the {x} apart and fixed it.",
            "fixed the {x} with new parts.")),
    _scene("laundry", "shirt jacket scarf dress sweater blanket towel skirt",
           ("{n} saw mud on the {x}.", "{n} spilled juice on the {x}.", "The {x} of {n} smelled of smoke."),
           ("put the {x} in the washing machine.", "washed the {x} and hung it up to dry.",
            "washed the {x} with soap.")),
    _scene("post", "letter parcel postcard package present note invitation form",
           ("{n} had {a} for a friend far away.", "{n} went to the post office with {a}.",
            "An address stood on the {x} of {n}."),
           ("put a stamp on the {x} and sent it.", "paid for the {x} and mailed it.",
            "dropped the {x} in the mailbox.")),
    _scene("pets", "dog cat rabbit parrot hamster pony turtle goat",
           ("The {x} of {n} was hungry.", "{n} heard the {x} cry for food.", "{n} came home to a bored {x}."),
           ("fed the {x} and stroked it.", "gave the {x} some food and water.",
            "played with the {x} and fed it.")),
    _scene("music", "piano guitar violin flute drum trumpet harp cello",
           ("{n} had a music lesson with {a}.", "{n} got {a} and loves songs.",
            "A concert was near and {n} took the {x}."),
           ("played a song on the {x}.", "tuned the {x} and practised for an hour.",
            "learned a new song on the {x}.")),
    _scene("art", "tree castle ship horse bridge tower river face",
           ("{n} took a pencil and thought of {a}.", "In art class {n} looked at {a}.",
            "{n} had paint and wanted to show {a}."),
           ("drew the {x} on white paper.", "made a picture of the {x} in colour.",
            "painted the {x} with a brush.")),
    _scene("travel", "train bus ferry tram plane taxi coach boat",
           ("{n} had a ticket for the {x}.", "{n} waited with a suitcase for the {x}.",
            "For the trip {n} chose the {x}."),
           ("got on the {x} and found a seat.", "sat in the {x} and looked out of the window.",
            "took the {x} to the next city.")),
    _scene("sport", "tennis football chess golf hockey cricket rugby darts",
           ("{n} met a friend for a game of {x}.", "{n} is in the {x} club.",
            "There was a {x} match and {n} was ready."),
           ("played {x} and won the match.", "trained {x} all afternoon.", "won at {x} and got a medal.")),
    _scene("shop", "coat hat bag watch ring belt necklace wallet",
           ("{n} saw {a} in a shop window.", "{n} saved money for {a}.", "The shop had {a} that {n} liked."),
           ("paid for the {x} at the counter.", "bought the {x} and kept the receipt.",
            "asked for the price of the {x}.")),
    _scene("computer", "report essay program story table speech review article",
           ("{n} wrote {a} on the computer.", "{n} sat at the screen with {a}.",
            "{n} had to finish {a} on the laptop."),
           ("saved the {x} and printed it.", "typed the last line of the {x}.",
            "corrected the {x} and saved it.")),
    _scene("bakery", "cake pie loaf muffin tart pizza bun waffle",
           ("{n} mixed flour and eggs for {a}.", "{n} had guests and wanted to make {a}.",
            "{n} had dough for {a}."),
           ("baked the {x} in the oven.", "put the {x} in the oven for an hour.",
            "baked the {x} until it was brown.")),
    _scene("repair", "door window fence gate roof shelf floor wall",
           ("A storm broke the {x} of {n}.", "{n} took a hammer and looked at the {x}.",
            "There was a hole in the {x} of {n}."),
           ("nailed new boards to the {x}.", "mended the {x} with wood and nails.",
            "used a hammer on the {x}.")),
    _scene("hospital", "arm leg knee foot hand ankle elbow shoulder",
           ("{n} fell and hurt one {x}.", "The {x} of {n} was swollen and hurt.",
            "{n} felt a sharp pain in the {x}."),
           ("went to a doctor who looked at the {x}.", "put ice on the {x} and rested.",
            "put a bandage around the {x}.")),
)  # fmt: skip


def _ending(rng: random.Random, scene: Scene, thing: str) -> str:
    return rng.choice(scene.endings).format(x=thing)


def _opening(rng: random.Random, scene: Scene, thing: str, name: str) -> tuple[str, int]:
    which = rng.randrange(len(scene.openings))
    return f"{scene.openings[which].format(n=name, a=article(thing), x=thing)} {NAMES[name]}", which


def make(rng: random.Random) -> Item:
    scene, *others = rng.sample(SCENES, 3)
    thing, other = rng.sample(scene.things, 2)
    name = rng.choice(list(NAMES))
    opening, which = _opening(rng, scene, thing, name)
    right = _ending(rng, scene, thing)
    wrong = [_ending(rng, scene, other), *(_ending(rng, s, rng.choice(s.things)) for s in others)]
    endings = [right, *wrong]
    key = f"endings/{scene.name}/{which}/{thing}"
    rng.shuffle(endings)
    doc = {
        "situation": scene.name,
        "opening": f"{scene.name}/{which}/{thing}",
        "ctx": opening,
        "endings": endings,
        "label": endings.index(right),
    }
    return Item(key, doc, variant=right)


def story(rng: random.Random) -> Item:
    """The opening and its right ending alone, for training text."""
    item = make(rng)
    return Item(item.key, {"text": f"{item.doc['ctx']} {item.doc['endings'][item.doc['label']]}"})
