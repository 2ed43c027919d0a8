"""The loop between journal, engine and grading: hands out work and takes in answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

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
    """Gives an engine its work and takes in its answers.

    Documents come in batches. Answers in the journal are used; the other requests of the batch are planned.
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
        """`reuse`: use the journal's answers; if False, everything is asked again."""
        self.requests = requests
        self.generated = [0] * len(grading.variants)
        self.unique = 0
        self.answered = 0
        """Requests that the engine answered, and below those that the journal did."""
        self.reused = 0
        self.unknown: list[TokenRequest] = []
        """Requests of this batch that the engine has to answer."""
        self.in_flight = 0
        """The number of requests that the engine has not answered yet."""
        self.engine_rests: Callable[[], bool] = lambda: False
        """Whether the engine has nothing to do any more. Whoever runs the engine sets it."""
        self._batches = batches
        self._grading = grading
        self._journal = journal
        self._stop = stop
        self._clock = clock
        self._reuse = reuse
        self._plan: Plan = plan(())
        self._planned: set[int] = set()
        self._new_turns: list[GenerateRequest] = []
        """New turns that were not looked up in the journal yet."""
        self._late: deque[GenerateRequest] = deque()
        """Turns that arose while the engine runs, to be handed to it next."""

    def next_batch(self) -> bool:
        """Go to the next batch that needs the engine. Returns False if there is none."""
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
        """The engine's work in order; None while nothing is ready and answers may still bring more."""
        more = True
        while more:
            for item in self._plan:
                while self._late and not self._stop.requested:
                    yield self._hand_out(as_work(self._late.popleft()))
                if self._stop.requested:
                    return
                yield self._hand_out(item)
            while self._late or self._more_may_follow():
                if self._stop.requested:
                    return
                self._grading.poll()
                if not self._late and self.in_flight > 0 and self.engine_rests():
                    return  # it lost these answers: nothing will follow from them
                yield self._hand_out(as_work(self._late.popleft())) if self._late else None
            more = not self._stop.requested and self.next_batch()

    def take(self, answer: Answer) -> None:
        """Store an answer of the engine, give it to every request it belongs to, and queue the turns that follow."""
        self.in_flight -= 1
        if not isinstance(answer, Failed):
            self._journal.put(self.requests.keys[answer.id], answer)
        # A later turn belongs to one request; a planned request may stand for several equal ones.
        owners = self._plan.owners(answer.id) if answer.id in self._planned else (answer.id,)
        for owner in owners:
            self.answered += 1
            self._receive(owner, answer)
        if self._new_turns:
            self._late.extend(turn for turn in self._look_up([]) if isinstance(turn, GenerateRequest))
        self._grading.poll()

    @property
    def own_share(self) -> float | None:
        """The share of the answers that the engine gave; None where there were none at all."""
        answers = self.answered + self.reused
        return self.answered / answers if answers else None

    # ── inside ───────────────────────────────────────────────────────────────

    def _requests_of(self, batch: Sequence[Pending]) -> list[TokenRequest]:
        """The requests of these documents. A document without requests is graded at once."""
        for pending in batch:
            if not pending.waiting:
                self._grading.take(self.requests.ledger.close(pending))
        return [request for pending in batch for request in pending.requests()]

    def _look_up(self, requests: list[TokenRequest]) -> list[TokenRequest]:
        """Use the journal's answers. Returns the requests that the engine has to answer, with the turns that follow."""
        unknown: list[TokenRequest] = []
        requests = [*requests, *self._take_new_turns()]
        while requests:
            answered = set()
            if self._reuse:
                for answer in self._journal.get_many((r.id, self.requests.keys[r.id]) for r in requests):
                    answered.add(answer.id)
                    self.reused += 1
                    self._receive(answer.id, answer)
            unknown += [request for request in requests if request.id not in answered]
            requests = list(self._take_new_turns())
        return unknown

    def _take_new_turns(self) -> list[GenerateRequest]:
        turns, self._new_turns = self._new_turns, []
        return turns

    def _receive(self, id_: int, answer: Answer) -> None:
        """Store an answer; if its document has all its answers, ask its next turn or grade it."""
        if (rest := self.requests.rest_of(id_, answer)) is not None:
            self._new_turns.append(rest)
            return
        pending = self.requests.ledger.accept(id_, self.requests.whole(id_, answer))
        if pending is None:
            return
        if pending.goes_on:
            self._new_turns += self.requests.next_turn(pending)
            return
        self.generated[pending.variant] += pending.generated_tokens
        self._grading.take(pending)

    def _more_may_follow(self) -> bool:
        """Whether an answer that is still out may bring another request."""
        return not self._batches.settled or (self.requests.budgeted and self.in_flight > 0)

    def _hand_out(self, item: Work) -> Work:
        self.in_flight += len(item.ids)
        return item
