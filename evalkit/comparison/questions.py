"""Which documents of two runs ask the same question, found by what they ask: two tools give them no common name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.comparison.texts import prompt
from evalkit.types import JsonObject

__all__ = ["plain", "same_questions"]

Row = JsonObject

_PROMPT, _ID = "the prompt", "the id"
_LABEL = re.compile(r"\s*(?:question|problem|query|prompt|q|질문|문제)\s*[:.]\s*", re.IGNORECASE)
_ANSWER = re.compile(r"\s*\n\s*(?:answer|a|정답|답)\s*:?\s*$", re.IGNORECASE)


def same_questions(ours: Sequence[Row], samples: Sequence[Row]) -> dict[int, int]:
    """For samples of inspect_ai the place of the document that asks the same, both by their place.

    One field of the documents is looked up, the one that finds most. A question that stands several times is told apart
    by its choices, and else paired in the order of the two runs where both have it equally often.
    """
    texts = [list(_asked(sample)) for sample in samples]
    ids = [_id(sample) for sample in samples]
    best: dict[int, int] = {}
    for field, places_of in _fields(ours).items():
        looked_up = [[id_] if id_ else [] for id_ in ids] if field == _ID else texts
        pairs = _pairs(places_of, looked_up, ours, samples)
        if len(pairs) > len(best):
            best = pairs
    return best


def plain(text: str) -> str:
    """A text without what tools differ in: composed letters, blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _fields(ours: Sequence[Row]) -> dict[str, dict[str, list[int]]]:
    """By field: where each of its texts stands."""
    fields: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(ours):
        doc = row.get("doc")
        for key, value in doc.items() if isinstance(doc, Mapping) else ():
            if isinstance(value, str) and value.strip():
                name = _ID if _names_a_document(str(key)) else f"doc.{key}"
                fields[name][plain(value)].append(place)
        if asked := plain(prompt(row)):
            fields[_PROMPT][asked].append(place)
    return fields


def _names_a_document(key: str) -> bool:
    return key.lower() in ("id", "key", "uid") or key.lower().endswith("_id")


def _asked(sample: Row) -> Iterator[str]:
    """What a sample asks, as it stands and without the words around it, the most exact first."""
    doc = sample.get("doc")
    given = doc.get("input") if isinstance(doc, Mapping) else None
    if isinstance(given, list):
        turns = [turn for turn in given if isinstance(turn, Mapping) and turn.get("role") == "user"]
        given = turns[-1].get("content") if turns else None
    for text in (given, prompt(sample)):
        if not isinstance(text, str) or not text.strip():
            continue
        bare = _LABEL.sub("", _ANSWER.sub("", text), count=1) if _LABEL.match(text) else _ANSWER.sub("", text)
        yield plain(text)
        yield plain(bare)
        for line in text.split("\n"):
            label = _LABEL.match(line)
            yield plain(line[label.end() :] if label else line)


def _id(sample: Row) -> str | None:
    """An id that somebody gave it. A number is only its place."""
    doc = sample.get("doc")
    given = doc.get("id") if isinstance(doc, Mapping) else None
    return plain(given) if isinstance(given, str) and not given.isdigit() else None


def _pairs(
    places_of: Mapping[str, list[int]], looked_up: Sequence[Sequence[str]], ours: Sequence[Row], samples: Sequence[Row]
) -> dict[int, int]:
    asking: dict[str, list[int]] = defaultdict(list)
    for place, texts in enumerate(looked_up):
        if text := next((text for text in texts if text and text in places_of), None):
            asking[text].append(place)
    pairs: dict[int, int] = {}
    for text, places in asking.items():
        pairs.update(_told_apart(places_of[text], places, ours, samples))
    return pairs


def _told_apart(
    here: Sequence[int], there: Sequence[int], ours: Sequence[Row], samples: Sequence[Row]
) -> Iterable[tuple[int, int]]:
    if len(here) == len(there) == 1:
        return [(there[0], here[0])]
    by_choices: dict[tuple[str, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    lists = {place: set(_lists(ours[place].get("doc"))) for place in here}
    for sample in there:
        doc = samples[sample].get("doc")
        choices = next(iter(_lists(doc.get("choices") if isinstance(doc, Mapping) else None)), ())
        by_choices[choices][1].append(sample)
    for choices, (mine, _) in by_choices.items():
        mine += [place for place in here if not choices or choices in lists[place]]
    return [
        pair
        for mine, others in by_choices.values()
        if len(mine) == len(others)
        for pair in zip(others, mine, strict=True)
    ]


def _lists(value: Any) -> Iterator[tuple[str, ...]]:
    """The lists of texts in a document, however deep: its choices among them."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        yield tuple(plain(part) for part in value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _lists(part)
