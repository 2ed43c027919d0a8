"""The worker's side: vLLM's step loop, which gets work over a pipe. The only process that imports vllm.

It sends ("ready", Ready), then ("answers", run, answers, usage, done) after each step in which requests finished,
("aborted", run) after dropping a run, and ("trouble", kind, line) if it cannot continue. `done` is the number of "work"
messages of this run that it took if all their requests have ended, else 0: what is not answered then was lost.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection

from evalkit.engines.vllm.client import Draw, Refused
from evalkit.engines.vllm.generating import TOPS
from evalkit.engines.vllm.process import die_with_parent
from evalkit.engines.vllm.scoring import Ask, ScoreJob
from evalkit.engines.vllm.starting import Engine, start_engine
from evalkit.errors import AskedWrong, EvalkitError
from evalkit.types import Answer, Failed, Generate, Score, Usage, Work

__all__ = ["main"]


def main(descriptor: int, parent: int) -> None:
    die_with_parent(parent, descriptor)
    pipe = Connection(descriptor)
    try:
        engine = start_engine(pipe.recv())
        pipe.send(("ready", engine.ready))
        _Loop(pipe, engine).run()
        engine.client.shut_down()
    except EOFError:
        pass
    except EvalkitError as error:
        pipe.send(("trouble", "usage" if isinstance(error, AskedWrong) else "engine", str(error)))
    except BaseException as error:
        # The harness makes its message from the traceback in the log.
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        pipe.send(("trouble", "died", f"{type(error).__name__}: {error}"))


class _Loop:
    def __init__(self, pipe: Connection, engine: Engine) -> None:
        self._pipe = pipe
        self._client = engine.client
        self._mixing = engine.mixing
        self._way = engine.way
        self._run = 0
        self._taken = 0
        """Messages with work that came in this run."""
        self._told = True
        """Whether the harness knows that all their requests have ended."""
        self._held: deque[Work] = deque()
        self._lane: object = None
        self._scores: dict[str, tuple[ScoreJob, Ask, str | None]] = {}
        self._draws: dict[str, Draw] = {}
        self._finished: list[Answer] = []

    def run(self) -> None:
        """Run until a stop message, or until the harness has ended (EOFError)."""
        while True:
            while not self._under_way or self._pipe.poll(0):
                message = self._pipe.recv()
                if message[0] == "stop":
                    return
                self._hear(*message)
                self._go_on()
            self._step()
            self._go_on()

    def _go_on(self) -> None:
        try:
            self._admit()
        except AskedWrong as error:
            self._told = True  # what is missing was refused, not lost: the run must not end before that is heard
            self._report()
            self._drop()
            self._pipe.send(("trouble", "usage", str(error)))
        self._report()

    @property
    def _under_way(self) -> bool:
        return bool(self._scores or self._draws)

    def _hear(self, kind: str, run: int, works: Sequence[Work] = ()) -> None:
        if kind == "work":
            self._taken = self._taken + 1 if run == self._run else 1
            self._run, self._told = run, False
            self._held += works
        elif kind == "forget":
            self._client.forget()
        else:
            self._drop()
            self._pipe.send(("aborted", run))

    def _drop(self) -> None:
        self._client.abort([*self._scores, *self._draws])
        self._scores.clear()
        self._draws.clear()
        self._held.clear()
        self._finished.clear()
        self._told = True
        self._client.usage = Usage()

    def _admit(self) -> None:
        """Send vLLM all held work that may share a batch with the requests in flight."""
        later: deque[Work] = deque()
        while self._held:
            work = self._held.popleft()
            lane = self._lane_of(work)
            if self._under_way and lane != self._lane:
                later.append(work)
                continue
            self._lane = lane
            self._begin(work)
        self._held = later

    def _lane_of(self, work: Work) -> object:
        """The lane of an item: only items of the same lane may share a batch."""
        model = {"free": None, "base apart": work.adapter is None, "one at a time": work.adapter}[self._mixing]
        # In a batch with labels, some versions do not return the alternatives that a generation requested.
        return model, isinstance(work, Generate) and any(name == TOPS for name, _ in work.sampling.extra)

    def _begin(self, work: Work) -> None:
        if isinstance(work, Score):
            block, labels = self._client.block, self._client.max_labels
            job = ScoreJob(work, block=block, max_labels=labels, way=self._way)
            self._send(job, job.start(), work.adapter)
            return
        for draw in Draw.of(work):
            try:
                self._draws[self._client.draw(draw, work.adapter)] = draw
            except Refused as error:
                self._finished.append(Failed(draw.id, str(error)))

    def _send(self, job: ScoreJob, asks: Sequence[Ask], adapter: str | None) -> None:
        todo = deque(asks)
        while todo:
            ask = todo.popleft()
            try:
                self._scores[self._client.ask(ask, adapter)] = job, ask, adapter
            except Refused as error:
                todo += job.refuse(str(error))
        if job.done:
            self._finished += job.answers()

    def _step(self) -> None:
        if not self._client.busy:
            # vLLM has nothing to do, and these have not finished: it lost them.
            self._scores.clear()
            self._draws.clear()
            return
        for output in self._client.step():
            name = output.request_id
            if name in self._draws:
                self._finished.append(self._client.generated(self._draws.pop(name), output))
                continue
            job, ask, adapter = self._scores.pop(name)
            if output.outputs[0].finish_reason in ("stop", "length"):
                follow_up = job.take(ask, self._client.reading(ask, output))
            else:
                follow_up = job.refuse(f"vLLM gave this request up ({output.outputs[0].finish_reason})")
            self._send(job, follow_up, adapter)

    def _report(self) -> None:
        done = 0 if self._under_way or self._told else self._taken
        if self._finished or done:
            self._pipe.send(("answers", self._run, self._finished, self._client.usage, done))
            self._told = self._told or bool(done)
            self._finished = []
            self._client.usage = Usage()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    # Nothing is left to write, and a regular exit would take seconds.
    os._exit(0)
