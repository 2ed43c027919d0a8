"""Prompts and answers for the page: documents that changed first, as many of the others as there is room for.

Texts are packed into compressed blocks that the page opens when it shows or searches them: the prompts of a task
repeat each other, and a phone should not hold what nobody looks at.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.comparison.texts import answers, chosen, continuations, logprobs, prompt, question, target, turns, words
from evalkit.reporting.html.documents import Wanted
from evalkit.reporting.html.tidy import shortened, tidy
from evalkit.results import Run
from evalkit.scrub import Scrubber

__all__ = ["DEFAULT_ROOM", "Texts", "pack"]

DEFAULT_ROOM = 24_000_000
"""Characters of text on one page, uncompressed: what a phone still searches without a pause."""

_BLOCK = 400_000
_PROMPT = (3_000, 5_000)
_ANSWER = (6_000, 3_000)
_OTHER = (3_000, 1_000)
_SAMPLES = 4

Entry = dict[str, Any]


@dataclass
class Texts:
    blocks: list[str] = field(default_factory=list)
    """Base64 of zlib of JSON: {"prefix": what all prompts begin with, "rows": […]}."""
    starts: list[int] = field(default_factory=list)
    """The number of each block's first row; rows are numbered through all blocks."""
    places: list[int] = field(default_factory=list)
    """Document → number of its row; −1 where it has no texts."""
    rows: int = 0
    characters: int = 0
    no_room: int = 0
    """Documents that were left out because the page was full."""
    not_kept: dict[int, list[str]] = field(default_factory=dict)
    """Run's place → tasks whose rows its folder doesn't hold."""

    def take(self, block: _Block) -> None:
        self.starts.append(self.rows)
        self.blocks.append(block.packed)
        for offset, place in enumerate(block.places):
            self.places[place] = self.rows + offset
        self.rows += len(block.places)
        self.characters += block.size


@dataclass(frozen=True, slots=True)
class _Block:
    places: list[int]
    packed: str
    size: int


@dataclass
class _Pile:
    """Blocks of one urgency, no more than there is room for."""

    room: int
    blocks: list[_Block] = field(default_factory=list)
    size: int = 0
    dropped: int = 0

    def add(self, entries: Mapping[int, Entry]) -> None:
        batch: dict[int, Entry] = {}
        held = 0
        for place, entry in entries.items():
            batch[place] = entry
            held += _size(entry)
            if held >= _BLOCK:
                self._close(batch)
                batch, held = {}, 0
        self._close(batch)

    def _close(self, batch: Mapping[int, Entry]) -> None:
        if not batch:
            return
        if self.size >= self.room:
            self.dropped += len(batch)
            return
        content = json.dumps(_without_prefix(list(batch.values())), ensure_ascii=False, allow_nan=False)
        packed = base64.b64encode(zlib.compress(content.encode(), 6)).decode()
        self.blocks.append(_Block(list(batch), packed, len(content)))
        self.size += len(content)


def pack(wanted: Sequence[Wanted], runs: Sequence[Run], scrubber: Scrubber, room: int = DEFAULT_ROOM) -> Texts:
    """Read the rows of every run once, task by task."""
    found = Texts(places=[-1] * len(wanted))
    by_leaf: dict[str, list[int]] = {}
    for place, one in enumerate(wanted):
        by_leaf.setdefault(one.leaf, []).append(place)
    urgent, others = _Pile(room), _Pile(room)
    for leaf, places in by_leaf.items():
        for pile, first in ((urgent, True), (others, False)):
            some = [place for place in places if wanted[place].first == first]
            if pile.size >= room:
                pile.dropped += len(some)
                continue
            pile.add(_entries(leaf, some, wanted, runs, scrubber, found))
    left = room
    for block in [*urgent.blocks, *others.blocks]:
        if left <= 0:
            found.no_room += len(block.places)
            continue
        left -= block.size
        found.take(block)
    found.no_room += urgent.dropped + others.dropped
    return found


def _entries(
    leaf: str, places: Sequence[int], wanted: Sequence[Wanted], runs: Sequence[Run], scrubber: Scrubber, found: Texts
) -> dict[int, Entry]:
    """The documents of one task with what each run answered, in document order."""
    entries: dict[int, Entry] = {}
    for number, run in enumerate(runs):
        asked: dict[int, list[int]] = {}
        for place in places:
            doc_id = wanted[place].rows.get(number)
            if doc_id is not None:
                asked.setdefault(doc_id, []).append(place)
        if not asked:
            continue
        if not run.has_rows(leaf):
            kept = found.not_kept.setdefault(number, [])
            if leaf not in kept:
                kept.append(leaf)
            continue
        for row in run.rows(leaf):
            for place in asked.get(row.get("doc_id", -1), ()):
                one = wanted[place]
                if row.get("filter", one.filter) != one.filter:
                    continue
                entry = entries.get(place)
                if entry is None:
                    entry = entries[place] = tidy(_shared(row), scrubber)
                entry["a"][str(number)] = tidy(_answered(row, one.metric), scrubber)
    return {place: entries[place] for place in places if place in entries}


def _shared(row: Mapping[str, Any]) -> Entry:
    """What is the same for every run that was asked it."""
    entry: Entry = {
        "q": shortened(question(row), *_OTHER),
        "p": shortened(prompt(row), *_PROMPT),
        "t": shortened(target(row), *_OTHER),
        "a": {},
    }
    if choices := continuations(row):
        entry["c"] = [shortened(choice, *_OTHER) for choice in choices]
        if meant := _meant(row, choices):
            entry["d"] = [shortened(choice, *_OTHER) for choice in meant]
    return entry


def _meant(row: Mapping[str, Any], choices: Sequence[str]) -> list[str]:
    """What the letters stand for, where a document's choices were scored by their letters."""
    doc = row.get("doc")
    said = doc.get("choices") if isinstance(doc, Mapping) else None
    if isinstance(said, Mapping):
        said = said.get("text")
    if not isinstance(said, list) or len(said) != len(choices) or list(choices) == said:
        return []
    return [words(one) for one in said] if all(len(choice) <= 2 for choice in choices) else []


def _answered(row: Mapping[str, Any], metric: str) -> Entry:
    """One run's answer: its texts (o), how many more samples (m), what was read out of it (x), and what befell it."""
    texts = answers(row, metric)
    entry: Entry = {}
    if earlier := turns(row):
        entry["s"] = [[role, shortened(text, *_OTHER)] for role, text in earlier]
        texts = texts[-1:]
    entry["o"] = [shortened(text, *_ANSWER) for text in texts[:_SAMPLES]]
    if len(texts) > _SAMPLES:
        entry["m"] = len(texts) - _SAMPLES
    scores = logprobs(row)
    if scores:
        entry["l"] = [round(score, 4) for score in scores]
        entry["k"] = chosen(row, metric)
    elif (read := _read_as(row)) is not None and [read] != texts:
        entry["x"] = shortened(read, *_OTHER)
    finish = [end for end in row.get("finish") or () if end not in (None, "stop")]
    said = {"f": finish, "w": row.get("cut_tokens"), "e": row.get("error"), "v": row.get("verdict")}
    entry |= {key: value for key, value in said.items() if value}
    if checks := [check for check in row.get("checks") or () if isinstance(check, Mapping)]:
        entry["h"] = [
            [words(check.get("kind", "")), check.get("strict"), words(check.get("reason") or check.get("error") or "")]
            for check in checks
        ]
    if row.get("verdict") and row.get("reason"):
        entry["r"] = shortened(words(row["reason"]), *_OTHER)
    return entry


def _read_as(row: Mapping[str, Any]) -> str | None:
    """What the filter made of the answer. A code task's is the whole program, which the prompt already shows."""
    if row.get("program") is not None or not row.get("filtered_resps"):
        return None
    return words(row["filtered_resps"])


def _without_prefix(rows: list[Entry]) -> dict[str, Any]:
    """Few-shot prompts of a task begin alike: what they share stands once."""
    prompts = [row["p"] if isinstance(row["p"], str) else row["p"][0] for row in rows]
    # Whole lines only: a question should stand in one piece.
    prefix = _prefix(min(prompts), max(prompts)) if len(rows) > 1 else ""
    shared = prefix[: prefix.rfind("\n") + 1]
    trimmed = []
    for row in rows:
        own = row["p"]
        cut = own[len(shared) :] if isinstance(own, str) else [own[0][len(shared) :], *own[1:]]
        trimmed.append({**row, "p": cut})
    return {"prefix": shared, "rows": trimmed}


def _prefix(one: str, other: str) -> str:
    """What the two begin with; of the first and last in order, it is what all begin with."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:place]
    return min(one, other, key=len)


def _size(entry: Entry) -> int:
    """About as many characters as the entry's JSON has."""
    return sum(len(part) if isinstance(part, str) else _nested(part) for part in entry.values()) + 60


def _nested(part: Any) -> int:
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Mapping):
        return sum(_nested(item) for item in part.values()) + 20
    return sum(_nested(item) for item in part) if isinstance(part, list | tuple) else 8
