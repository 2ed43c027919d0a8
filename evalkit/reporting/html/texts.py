"""Packs prompts and answers for the page: first documents that changed, then as many of the others as fit.

Texts are packed into compressed blocks, and the page opens a block only when it shows or searches it: the prompts of
a task repeat each other, and a phone should not keep all of them in memory.
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
from evalkit.types import JsonObject

__all__ = ["DEFAULT_ROOM", "Texts", "pack"]

DEFAULT_ROOM = 24_000_000
"""Uncompressed characters of text on one page: as much as a phone can search without a pause."""

_BLOCK = 400_000
_PROMPT = (3_000, 5_000)
_ANSWER = (6_000, 3_000)
_OTHER = (3_000, 1_000)
_SAMPLES = 4

Entry = dict[str, Any]


@dataclass
class Texts:
    """The packed texts of a page, and where each document's texts are."""

    blocks: list[str] = field(default_factory=list)
    """Base64 of zlib of JSON: {"prefix": the common prefix of all prompts, "rows": […]}."""
    starts: list[int] = field(default_factory=list)
    """The number of each block's first row; rows are numbered over all blocks."""
    places: list[int] = field(default_factory=list)
    """The row number of each document; −1 if it has no texts."""
    rows: int = 0
    characters: int = 0
    no_room: int = 0
    """Documents that were left out because the page was full."""
    not_kept: dict[int, list[str]] = field(default_factory=dict)
    """Maps the run's number to the tasks whose rows are not in its folder."""

    def take(self, block: _Block) -> None:
        """Add a block."""
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
    """Packed blocks, up to `room` characters; entries beyond that are counted as dropped."""

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
    """Pack the texts of the wanted documents, reading the rows of every run once, task by task."""
    texts = Texts(places=[-1] * len(wanted))
    by_leaf: dict[str, list[int]] = {}
    for place, document in enumerate(wanted):
        by_leaf.setdefault(document.leaf, []).append(place)
    urgent, others = _Pile(room), _Pile(room)
    for leaf, places in by_leaf.items():
        for pile, first in ((urgent, True), (others, False)):
            some = [place for place in places if wanted[place].first == first]
            if pile.size >= room:
                pile.dropped += len(some)
                continue
            pile.add(_entries(leaf, some, wanted, runs, scrubber, texts))
    left = room
    for block in [*urgent.blocks, *others.blocks]:
        if left <= 0:
            texts.no_room += len(block.places)
            continue
        left -= block.size
        texts.take(block)
    texts.no_room += urgent.dropped + others.dropped
    return texts


def _entries(
    leaf: str, places: Sequence[int], wanted: Sequence[Wanted], runs: Sequence[Run], scrubber: Scrubber, texts: Texts
) -> dict[int, Entry]:
    """The documents of one task with the answers of each run, in document order."""
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
            kept = texts.not_kept.setdefault(number, [])
            if leaf not in kept:
                kept.append(leaf)
            continue
        for row in run.rows(leaf):
            for place in asked.get(row.get("doc_id", -1), ()):
                document = wanted[place]
                if row.get("filter", document.filter) != document.filter:
                    continue
                entry = entries.get(place)
                if entry is None:
                    entry = entries[place] = tidy(_shared(row), scrubber)
                entry["a"][str(number)] = tidy(_answered(row, document.metric), scrubber)
    return {place: entries[place] for place in places if place in entries}


def _shared(row: JsonObject) -> Entry:
    """The texts of a document that are the same for all runs: question, prompt, target and choices."""
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


def _meant(row: JsonObject, choices: Sequence[str]) -> list[str]:
    """The texts of a document's choices, if the model scored only their letters."""
    doc = row.get("doc")
    texts = doc.get("choices") if isinstance(doc, Mapping) else None
    if isinstance(texts, Mapping):
        texts = texts.get("text")
    if not isinstance(texts, list) or len(texts) != len(choices) or list(choices) == texts:
        return []
    return [words(text) for text in texts] if all(len(choice) <= 2 for choice in choices) else []


def _answered(row: JsonObject, metric: str) -> Entry:
    """One run's answer: its texts (o), the number of further samples (m), the extracted answer (x), and troubles."""
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
    remarks = {"f": finish, "w": row.get("cut_tokens"), "e": row.get("error"), "v": row.get("verdict")}
    entry |= {key: value for key, value in remarks.items() if value}
    if checks := [check for check in row.get("checks") or () if isinstance(check, Mapping)]:
        entry["h"] = [
            [words(check.get("kind", "")), check.get("strict"), words(check.get("reason") or check.get("error") or "")]
            for check in checks
        ]
    if row.get("verdict") and row.get("reason"):
        entry["r"] = shortened(words(row["reason"]), *_OTHER)
    return entry


def _read_as(row: JsonObject) -> str | None:
    """The answer after the filter; None for a code task, where it repeats the program that the prompt shows."""
    if row.get("program") is not None or not row.get("filtered_resps"):
        return None
    return words(row["filtered_resps"])


def _without_prefix(rows: list[Entry]) -> JsonObject:
    """The rows, with the common prefix of their prompts stored once: few-shot prompts of a task begin alike."""
    prompts = [row["p"] if isinstance(row["p"], str) else row["p"][0] for row in rows]
    # Whole lines only, so that no question is split.
    prefix = _prefix(min(prompts), max(prompts)) if len(rows) > 1 else ""
    shared = prefix[: prefix.rfind("\n") + 1]
    trimmed = []
    for row in rows:
        text = row["p"]
        rest = text[len(shared) :] if isinstance(text, str) else [text[0][len(shared) :], *text[1:]]
        trimmed.append({**row, "p": rest})
    return {"prefix": shared, "rows": trimmed}


def _prefix(first: str, last: str) -> str:
    """The common prefix of two texts; for the first and the last of sorted texts, it is that of all."""
    for place, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return first[:place]
    return min(first, last, key=len)


def _size(entry: Entry) -> int:
    """About how many characters the entry's JSON has."""
    return sum(len(part) if isinstance(part, str) else _nested(part) for part in entry.values()) + 60


def _nested(part: Any) -> int:
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Mapping):
        return sum(_nested(item) for item in part.values()) + 20
    return sum(_nested(item) for item in part) if isinstance(part, list | tuple) else 8
