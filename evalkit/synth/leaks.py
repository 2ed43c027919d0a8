"""Finds the documents of benchmarks that stand in training data, by shared runs of words or Korean syllables.

The benchmarks are indexed in memory, the training data is read in pieces. A run of 8 words that stands in more than ten
documents of the benchmarks is common wording or a shared passage, and is ignored.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from evalkit.synth.grams import Syllables, Tokens, Words, flat, joined, runs
from evalkit.synth.novelty import MOST_DOCUMENTS
from evalkit.synth.scripts import main_script

__all__ = ["GRAM", "LONG", "SYLLABLES", "Benchmark", "Finding", "Leaks", "find_leaks", "is_long"]

GRAM, LONG = 8, 13
SYLLABLES = 16
"""Hangul syllables in a row that two texts must share. Calibrated on KorQuAD's questions: docs/overlap.md."""
_PIECE = 4_000_000
"""Characters of training data at once."""
_BITS = 27
_WORD = re.compile(r"\w+")

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The text of one document of a benchmark."""

    question: str
    answer: str


@dataclass(slots=True)
class Finding:
    """Where one document was found in the training data."""

    longest: int = 0
    """The longest shared run: words, of Korean syllables."""
    row: int = 0
    """The row with it, from 0."""
    rows: int = 0
    """Rows that share something."""
    answer: bool = False
    """Whether a row with the question has the answer too."""


@dataclass(frozen=True, slots=True)
class Leaks:
    rows: int
    matched: int
    """Rows that share something with a document."""
    found: dict[int, Finding] = field(default_factory=dict)
    """By the document's place."""


def find_leaks(
    documents: Sequence[Benchmark],
    training: Iterable[tuple[int, str, int]],
    *,
    gram: int = GRAM,
    syllables: int = SYLLABLES,
    advance: Callable[[int], None] = lambda size: None,
) -> Leaks:
    """`training`: row number, text and size of each row. `advance` is told the size of each piece that is done."""
    korean = [main_script(document.question) == "HANGUL" for document in documents]
    indexes = [_Index(Words(gram), documents, [not it for it in korean])]
    by_syllables = Syllables(syllables)
    enough = [len(by_syllables.read(document.question)) >= syllables for document in documents]
    if any(korean) or any(enough):
        wanted = [mostly or some for mostly, some in zip(korean, enough, strict=True)]
        indexes.append(_Index(by_syllables, documents, wanted))
    found: dict[int, Finding] = defaultdict(Finding)
    rows = matched = 0
    for piece in _pieces(training):
        rows += len(piece)
        shared: dict[int, dict[int, int]] = defaultdict(dict)
        for index in indexes:
            for place, document, longest in index.matches([text for _, text, _ in piece]):
                shared[place][document] = longest
        matched += len(shared)
        for place, of_row in sorted(shared.items()):
            row, text, _ = piece[place]
            for document, longest in of_row.items():
                _note(found[document], row, longest, text, documents[document])
        advance(sum(size for _, _, size in piece))
    return Leaks(rows, matched, dict(sorted(found.items())))


def is_long(found: Finding, question: str) -> bool:
    """Whether the shared run is one of 13 words; of Korean as much longer than the shortest."""
    return found.longest >= (LONG * SYLLABLES // GRAM if main_script(question) == "HANGUL" else LONG)


def _note(finding: Finding, row: int, longest: int, text: str, document: Benchmark) -> None:
    if longest > finding.longest:
        finding.longest, finding.row = longest, row
    finding.rows += 1
    finding.answer = finding.answer or _has_answer(text, document)


def _has_answer(text: str, document: Benchmark) -> bool:
    """Whether the answer stands in the row, beside the occurrences that the question itself accounts for."""
    answer = f" {' '.join(_WORD.findall(document.answer.lower()))} "
    if answer == "  ":
        return False
    row, question = (f" {' '.join(_WORD.findall(part.lower()))} " for part in (text, document.question))
    return row.count(answer) > question.count(answer)


def _pieces(training: Iterable[tuple[int, str, int]]) -> Iterator[list[tuple[int, str, int]]]:
    piece: list[tuple[int, str, int]] = []
    size = 0
    for row in training:
        piece.append(row)
        size += len(row[1])
        if size >= _PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


class _Index:
    """Where each run of the documents stands."""

    def __init__(self, tokens: Tokens, documents: Sequence[Benchmark], wanted: Sequence[bool]) -> None:
        self._tokens = tokens
        self._short: dict[bytes, list[int]] = defaultdict(list)
        places = [place for place, want in enumerate(wanted) if want]
        learnt = [tokens.learn(documents[place].question) for place in places]
        hashes, owners, offsets = [], [], []
        for place, ids in zip(places, learnt, strict=True):
            if len(ids) < tokens.gram:
                if len(ids):
                    self._short[ids.tobytes()].append(place)
                continue
            of_text = runs(ids, tokens.gram, tokens.size)
            hashes.append(of_text)
            owners.append(np.full(len(of_text), place, np.int64))
            offsets.append(np.arange(len(of_text)))
        order = np.argsort(all_hashes := _hashes(hashes), kind="stable")
        self._hashes = all_hashes[order]
        self._owners, self._offsets = flat(owners)[order], flat(offsets)[order]
        self._drop_common()
        self._bits = np.zeros(1 << (_BITS - 3), np.uint8)
        slots = (self._hashes >> np.uint64(64 - _BITS)).astype(np.int64)
        np.bitwise_or.at(self._bits, slots >> 3, (1 << (slots & 7)).astype(np.uint8))

    def _drop_common(self) -> None:
        """Leave out the runs that more than ten documents have."""
        if not len(self._hashes):
            return
        begins = np.flatnonzero(np.concatenate([[True], self._hashes[1:] != self._hashes[:-1]]))
        # In one document a run may stand several times: count documents, which are in order within a run.
        new = np.concatenate(
            [[True], (self._hashes[1:] != self._hashes[:-1]) | (self._owners[1:] != self._owners[:-1])]
        )
        counts = np.add.reduceat(new.astype(np.int64), begins)
        lengths = np.diff(np.concatenate([begins, [len(self._hashes)]]))
        keep = np.repeat(counts <= MOST_DOCUMENTS, lengths)
        self._hashes, self._owners, self._offsets = self._hashes[keep], self._owners[keep], self._offsets[keep]

    def matches(self, texts: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Place of the text, place of the document, longest shared run."""
        gram = self._tokens.gram
        ids = [self._tokens.read(text) for text in texts]
        for place, of_text in enumerate(ids):
            if len(of_text) < gram and self._short and (owners := self._short.get(of_text.tobytes())):
                yield from ((place, owner, len(of_text)) for owner in owners)
        together, starts = joined(ids, gram)
        hashes = runs(together, gram, self._tokens.size)
        slots = (hashes >> np.uint64(64 - _BITS)).astype(np.int64)
        near = np.flatnonzero((hashes != 0) & ((self._bits[slots >> 3] >> (slots & 7).astype(np.uint8)) & 1 == 1))
        if not len(near) or not len(self._hashes):
            return
        first = np.searchsorted(self._hashes, hashes[near])
        sure = self._hashes[np.minimum(first, len(self._hashes) - 1)] == hashes[near]
        near, first = near[sure], first[sure]
        last = np.searchsorted(self._hashes, hashes[near], side="right")
        rows = np.searchsorted(starts, near, side="right") - 1
        # Runs that go on in both texts lie on one diagonal, at neighbouring places.
        diagonals: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for at, row, begin, end in zip(near.tolist(), rows.tolist(), first.tolist(), last.tolist(), strict=True):
            for posting in range(begin, end):
                owner = int(self._owners[posting])
                diagonals[row, owner, int(self._offsets[posting]) - at].append(at)
        longest: dict[tuple[int, int], int] = {}
        for (row, owner, _), at in diagonals.items():
            longest[row, owner] = max(longest.get((row, owner), 0), _longest_run(at) + gram - 1)
        yield from ((row, owner, length) for (row, owner), length in longest.items())


def _longest_run(places: Sequence[int]) -> int:
    best = run = 1
    for before, place in pairwise(places):
        run = run + 1 if place == before + 1 else 1
        best = max(best, run)
    return best


def _hashes(parts: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)
