"""The loop between journal, engine and grading: work out, answers in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from evalkit.journal import Journal
from evalkit.planning import Plan, plan
from evalkit.runner.clock import Clock
from evalkit.runner.grading import Grading
from evalkit.runner.ledger import Pending
from evalkit.runner.requests import PassRequests, as_work
from evalkit.runner.rounds import Batches
from evalkit.runner.stop import Stop
from evalkit.types import Answer, Failed, GenerateRequest, TokenRequest, Work

__all__ = ["AnswerLoop"]


class AnswerLoop:
    """Gives an engine its work and takes its answers in.

    Documents come batch by batch. Of each batch, what the journal holds is taken from there and the rest is planned.
    Turns that follow from an answer are asked before the rest of the plan.
    """

    def __init__(
        self,
        requests: PassRequests,
        batches: Batches,
        grading: Grading,
        journal: Journal,
        stop: Stop,
        clock: Clock,
        *,
        reuse: bool,
    ) -> None:
        """`reuse`: take answers from the journal; else everything is asked again."""
        self.requests = requests
        self.generated = [0] * len(grading.variants)
        self.unique = 0
        self.unknown: list[TokenRequest] = []
        """Requests of this batch that the engine has to answer."""
        self.in_flight = 0
        """Requests that the engine was given and has not answered."""
        self._batches = batches
        self._grading = grading
        self._journal = journal
        self._stop = stop
        self._clock = clock
        self._reuse = reuse
        self._plan: Plan = plan(())
        self._planned: set[int] = set()
        self._new_turns: list[GenerateRequest] = []
        """Turns that came up and were not looked up in the journal yet."""
        self._late: deque[GenerateRequest] = deque()
        """Turns that came up while the engine runs, and that it has to be given."""

    def next_batch(self) -> bool:
        """Go on to the next batch that has something to ask the engine. False: there is none."""
        while True:
            with self._clock("scoring"):
                if not self._batches.settled:
                    self._grading.poll(wait=True)
                batch = self._batches.next()
                if not batch:
                    return False
                self.unknown = self._look_up(self._requests_of(batch))
            if self.unknown:
                with self._clock("build"):
                    self._plan = plan(self.unknown)
                    self._planned = {request.id for request in self.unknown}
                    self.unique += self._plan.floor
                return True

    def work(self) -> Iterator[Work | None]:
        """What the engine has to do, in order; None while nothing is ready and answers may still bring more."""
        more = True
        while more:
            for item in self._plan:
                while self._late and not self._stop.requested:
                    yield self._hand_out(as_work(self._late.popleft()))
                if self._stop.requested:
                    return
                yield self._hand_out(item)
            while self._late or not self._batches.settled:
                if self._stop.requested:
                    return
                self._grading.poll()
                yield self._hand_out(as_work(self._late.popleft())) if self._late else None
            more = not self._stop.requested and self.next_batch()

    def take(self, answer: Answer) -> None:
        """Keep an answer of the engine's, give it to all who asked for it, and queue the turns that follow from it."""
        self.in_flight -= 1
        if not isinstance(answer, Failed):
            self._journal.put(self.requests.keys[answer.id], answer)
        # A later turn is asked by itself; what was planned may stand for several equal requests.
        owners = self._plan.owners(answer.id) if answer.id in self._planned else (answer.id,)
        for owner in owners:
            self._receive(owner, answer)
        if self._new_turns:
            self._late.extend(turn for turn in self._look_up([]) if isinstance(turn, GenerateRequest))
        self._grading.poll()

    # ── inside ───────────────────────────────────────────────────────────────

    def _requests_of(self, batch: Sequence[Pending]) -> list[TokenRequest]:
        """Requests of these documents. A document that asks nothing is graded at once."""
        for pending in batch:
            if not pending.waiting:
                self._grading.take(self.requests.ledger.close(pending))
        return [request for pending in batch for request in pending.requests()]

    def _look_up(self, requests: list[TokenRequest]) -> list[TokenRequest]:
        """Take what the journal holds. Returns what has to be asked, with the turns that followed meanwhile."""
        unknown: list[TokenRequest] = []
        requests = [*requests, *self._take_new_turns()]
        while requests:
            known = set()
            if self._reuse:
                for kept in self._journal.get_many((r.id, self.requests.keys[r.id]) for r in requests):
                    known.add(kept.id)
                    self._receive(kept.id, kept)
            unknown += [request for request in requests if request.id not in known]
            requests = list(self._take_new_turns())
        return unknown

    def _take_new_turns(self) -> list[GenerateRequest]:
        turns, self._new_turns = self._new_turns, []
        return turns

    def _receive(self, id_: int, answer: Answer) -> None:
        """Put an answer in its place. Its document goes on to its next turn, or is graded."""
        pending = self.requests.ledger.accept(id_, answer)
        if pending is None:
            return
        if pending.goes_on:
            self._new_turns += self.requests.next_turn(pending)
            return
        self.generated[pending.variant] += pending.generated_tokens
        self._grading.take(pending)

    def _hand_out(self, item: Work) -> Work:
        self.in_flight += len(item.ids)
        return item
