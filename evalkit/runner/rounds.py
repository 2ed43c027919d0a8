"""Chooses which documents are asked next: all at once, or in rounds until each verdict is sure.

A verdict is taken only when a whole round is answered and graded: the documents that finish first are a biased
sample, since short answers come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from evalkit.errors import VERDICT_EXIT_CODES
from evalkit.gating import EarlyVerdict, Trial, conclude, judge, overall
from evalkit.results import EarlyStopping, scores_of
from evalkit.runner.ledger import Ledger, Pending
from evalkit.runner.listener import Listener
from evalkit.types import Row

__all__ = ["Batches", "Everything", "Rounds"]

Place = tuple[int, str, int]
"""Variant, task, doc_id."""

_WORDS = {"pass": "PASS", "regression": "REGRESSION"}


class Batches(Protocol):
    """Gives the answer loop its documents, batch by batch."""

    @property
    def settled(self) -> bool:
        """Whether the next batch can be chosen now; False while answers of this one are not graded."""
        ...

    def next(self) -> list[Pending]:
        """The documents to ask next; empty if none is left."""
        ...

    def drawn(self, pending: Pending) -> bool:
        """Whether this document was in a batch."""
        ...


class Everything:
    """All documents in one batch."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._handed_out = False

    @property
    def settled(self) -> bool:
        return not self._ledger.conversing

    def next(self) -> list[Pending]:
        batch = [] if self._handed_out else self._ledger.open
        self._handed_out = True
        return batch

    def drawn(self, pending: Pending) -> bool:
        return True


class Rounds:
    """A batch holds, for every target without a verdict, the documents up to its next look.

    The last batch holds documents that belong to no target, or to targets that are judged only at the end.
    """

    def __init__(self, trials: Sequence[Sequence[Trial]], confidence: float, listener: Listener) -> None:
        """`trials`: for each variant, the trials of its targets."""
        self._trials = trials
        self._confidence = confidence
        self._listener = listener
        self._places: dict[Place, tuple[Trial, list[int]]] = {}
        for variant, of_variant in enumerate(trials):
            for trial in of_variant:
                for position, document in enumerate(trial.documents):
                    self._places.setdefault((variant, *document), (trial, []))[1].append(position)
        self._pending: dict[Place, Pending] = {}
        self._drawn: set[Place] = set()
        self._open: set[Place] = set()
        self._looking: list[Trial] = []
        self._rest_asked = False

    def enrol(self, ledger: Ledger) -> None:
        """Set the documents to draw from."""
        self._pending = {_place(pending): pending for pending in ledger.open}

    @property
    def settled(self) -> bool:
        return not self._open

    def next(self) -> list[Pending]:
        while True:
            self._decide()
            self._looking = [trial for of_variant in self._trials for trial in of_variant if trial.active]
            if not self._looking:
                return self._rest()
            places = [
                (variant, *trial.documents[position])
                for variant, of_variant in enumerate(self._trials)
                for trial in of_variant
                if trial.active
                for position in trial.upcoming()
            ]
            if batch := self._hand_out(places):
                return batch

    def scored(self, pending: Pending, rows: Sequence[Row]) -> None:
        """Take the rows of a document that was graded."""
        place = _place(pending)
        self._open.discard(place)
        self._record(place, rows)

    def drawn(self, pending: Pending) -> bool:
        return _place(pending) in self._drawn

    def not_run(self, variant: int, task: str) -> int:
        """Documents of a task that were never drawn."""
        return sum(place[:2] == (variant, task) and place not in self._drawn for place in self._pending)

    def conclude(self, variant: int, rows: Mapping[str, Sequence[Row]], *, whole: bool) -> tuple[EarlyStopping, int]:
        """The entry of results.json and the exit code, once all is graded. A run that was cut short has no verdict."""
        if not whole:
            return EarlyStopping(verdict=None, reason="the run was cut short; the same command goes on from there"), 0
        for task, of_task in rows.items():
            by_document: dict[int, list[Row]] = {}
            for row in of_task:
                by_document.setdefault(row.doc_id, []).append(row)
            for doc_id, of_document in by_document.items():
                self._record((variant, task, doc_id), of_document)
        verdicts: tuple[EarlyVerdict, ...] = conclude(self._trials[variant], self._confidence)
        verdict = overall(tuple(of_task.task for of_task in verdicts))
        tasks = {of_task.task.name: of_task.entry() for of_task in verdicts}
        return EarlyStopping(verdict=verdict, tasks=tasks), VERDICT_EXIT_CODES[verdict]

    # ── inside ───────────────────────────────────────────────────────────────

    def _decide(self) -> None:
        for trial in self._looking:
            trial.look()
        for of_variant in self._trials if self._looking else ():
            for trial in judge(of_variant, self._confidence):
                word = _WORDS.get(trial.sure or "", "")
                self._listener.note(f"{trial.name}: {word}, sure after {trial.used:,} of {trial.size:,} documents")

    def _rest(self) -> list[Pending]:
        """The last batch; empty if it was handed out already."""
        if self._rest_asked:
            return []
        self._rest_asked = True
        return self._hand_out(
            [place for place in self._pending if place not in self._places or self._places[place][0].in_full]
        )

    def _hand_out(self, places: Sequence[Place]) -> list[Pending]:
        fresh = [place for place in dict.fromkeys(places) if place not in self._drawn]
        self._drawn.update(fresh)
        self._open.update(fresh)
        return [self._pending[place] for place in fresh]

    def _record(self, place: Place, rows: Sequence[Row]) -> None:
        if place not in self._places:
            return
        trial, positions = self._places[place]
        metric, _, filter_name = trial.target.metric.partition(",")
        for row in rows:
            if row.filter == (filter_name or "none"):
                scores = scores_of(row, metric)
                for number, position in enumerate(positions):
                    # A document that failed has one score, which counts for all its positions.
                    trial.record(position, *scores[min(number, len(scores) - 1)])


def _place(pending: Pending) -> Place:
    return pending.variant, pending.task.name, pending.document.doc_id
