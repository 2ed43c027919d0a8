"""The worker's side: vLLM's step loop, fed over a pipe. The only process that imports vllm.

Says ("ready", Ready), then ("answers", run, answers, usage) after each step in which something finished, ("aborted",
run) when told to drop a run, and ("trouble", kind, line) when it cannot go on.
"""

from __future__ import annotations

import gc
import os
import sys
from array import array
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from evalkit.engines.vllm.arguments import engine_arguments, without_secrets
from evalkit.engines.vllm.client import Client, Draw, Refused
from evalkit.engines.vllm.generating import Thinking
from evalkit.engines.vllm.messages import Ready, Start
from evalkit.engines.vllm.process import die_with_parent
from evalkit.engines.vllm.rows import keep_rows_packed
from evalkit.engines.vllm.scoring import Ask, ScoreJob, Way
from evalkit.engines.vllm.selftest import Mixing, SelfTest, compare_ways, prove_adapters
from evalkit.errors import AskedWrong, EvalkitError
from evalkit.types import Adapter, Answer, Failed, Score, Usage, Work

__all__ = ["main"]


def main(descriptor: int, parent: int) -> None:
    die_with_parent(parent)
    pipe = Connection(descriptor)
    try:
        loop, ready = _start(pipe, pipe.recv())
        pipe.send(("ready", ready))
        loop.run()
    except EOFError:
        pass
    except EvalkitError as error:
        pipe.send(("trouble", "usage" if isinstance(error, AskedWrong) else "engine", str(error)))
    except BaseException as error:
        # With its traceback in the log, from which the harness makes its line.
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        pipe.send(("trouble", "died", f"{type(error).__name__}: {error}"))


# ── starting ─────────────────────────────────────────────────────────────────


def _start(pipe: Connection, start: Start) -> tuple[_Loop, Ready]:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import vllm
    from vllm.platforms import current_platform

    cpu = bool(current_platform.is_cpu())
    if cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(_cache_gib()))
        # One process less to start; on a CPU there is nothing to overlap with.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    args = engine_arguments(
        start.spec, _argument_names(), cpu=cpu, adapter_ranks=start.ranks, adapter_targets=start.targets
    )
    keep_rows_packed()
    llm = vllm.LLM(**args)

    thinking = _thinking(start.think_end, llm.get_tokenizer())
    client = Client(llm, start.adapters, thinking)
    config = client.engine.vllm_config
    float32 = "float32" in str(config.model_config.dtype)
    pool = _ordinary_tokens(llm.get_tokenizer())
    length = int(config.model_config.max_model_len)

    # With adapters, prompts can be asked for their own rows only where the output layer is left out of it.
    rows = not start.adapters or "lora_target_modules" in args
    way, test, warnings = _choose(client, pool, length, vllm.__version__, rows=rows, float32=float32)
    refused = _load_adapters(client, start.adapters)
    names = [adapter.name for adapter in start.adapters if adapter.name not in refused]
    mixing: Mixing = prove_adapters(client, pool, names, float32=float32) if names else "free"
    client.usage = Usage()

    description = {
        "name": "vllm",
        "versions": {"vllm": vllm.__version__, "torch": _version("torch")},
        "device": str(current_platform.device_name),
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "max_model_len": length,
        "block_size": client.block or None,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "pipeline_parallel_size": config.parallel_config.pipeline_parallel_size,
        "enforce_eager": bool(config.model_config.enforce_eager),
        "scoring_path": "plain" if way == "plain" else "fast",
        "scoring_requests": {"fast": "labels and rows", "labels": "labels", "plain": "whole prompts"}[way],
        "self_test": None
        if test is None
        else {
            "requests": test.requests,
            "largest_difference": test.largest_difference if test.passed else str(test.largest_difference),
            "tolerance": test.tolerance,
        },
        "adapters": {"loaded": names, "batches": mixing if names else None},
        "arguments": without_secrets(args),
    }
    # What is loaded by now stays; collecting must not look through it again and again.
    gc.freeze()
    loop = _Loop(pipe, client, mixing, way)
    return loop, Ready(description, int(config.scheduler_config.max_num_seqs), tuple(warnings), refused)


def _choose(
    client: Client, pool: Sequence[int], length: int, version: str, *, rows: bool, float32: bool
) -> tuple[Way, SelfTest | None, list[str]]:
    """The fastest way that gives the plain way's numbers here, and a warning for each that does not."""
    warnings: list[str] = []
    if not client.can_label:
        return "plain", None, [f"vLLM {version} has no log-probabilities by token id: {_PLAIN}"]
    ways: list[Way] = ["fast", "labels"] if rows else ["labels"]
    for way in ways:
        test = compare_ways(client, pool, length, way, rows=rows, float32=float32)
        if test.passed:
            return way, test, warnings
        found = f"vLLM {version} gives other log-probabilities the {way} way (by {test.largest_difference:.2g})"
        warnings.append(f"{found}: {_PLAIN if way == ways[-1] else _LABELS}")
    return "plain", test, warnings


_PLAIN = "scoring goes the plain way, one whole prompt for each choice, several times slower"
_LABELS = "each token of a choice is asked for on its own, which is slower for long choices"


def _argument_names() -> list[str]:
    import dataclasses

    from vllm import EngineArgs

    return [field.name for field in dataclasses.fields(EngineArgs)]


def _load_adapters(client: Client, adapters: Sequence[Adapter]) -> dict[str, str]:
    refused: dict[str, str] = {}
    for adapter in adapters:
        try:
            client.add_adapter(adapter.name)
        except Exception as error:
            refused[adapter.name] = " ".join(str(error).split())
    return refused


def _thinking(marker: str | int | None, tokenizer: Any) -> Thinking | None:
    if marker is None:
        return None
    if isinstance(marker, int):
        marker = str(tokenizer.decode([marker]))
    eos = tokenizer.eos_token_id
    return Thinking(marker, (str(tokenizer.decode(eos)) if eos is not None else "") or tokenizer.eos_token or "")


_TEXT = (
    "The quick brown fox jumps over the lazy dog. Question: which of these numbers is the largest, 12, 7, 345 or 68? "
    "Answer: A river runs from the mountains to the sea; what do we call the place where it ends? "
)


def _ordinary_tokens(tokenizer: Any) -> Sequence[int]:
    ids = list(dict.fromkeys(tokenizer.encode(_TEXT, add_special_tokens=False)))
    return array("i", ids)


def _cache_gib() -> int:
    """An eighth of the free memory, from 1 to 8 GiB."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 1
    return max(1, min(8, free // 2**33))


def _version(name: str) -> str | None:
    return getattr(sys.modules.get(name), "__version__", None)


# ── the loop ─────────────────────────────────────────────────────────────────


class _Loop:
    def __init__(self, pipe: Connection, client: Client, mixing: Mixing, way: Way) -> None:
        self._pipe = pipe
        self._client = client
        self._mixing = mixing
        self._way: Way = way
        self._run = 0
        self._held: deque[Work] = deque()
        self._lane: object = None
        self._scores: dict[str, tuple[ScoreJob, Ask, str | None]] = {}
        self._draws: dict[str, Draw] = {}
        self._finished: list[Answer] = []

    def run(self) -> None:
        """Until told to stop, or until the harness is gone (EOFError)."""
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
            self._report()
            self._drop()
            self._pipe.send(("trouble", "usage", str(error)))
        self._report()

    @property
    def _under_way(self) -> bool:
        return bool(self._scores or self._draws)

    def _hear(self, kind: str, run: int, works: Sequence[Work] = ()) -> None:
        if kind == "work":
            self._run = run
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
        self._client.usage = Usage()

    def _admit(self) -> None:
        """Hand vLLM all that may run beside what is under way."""
        later: deque[Work] = deque()
        while self._held:
            work = self._held.popleft()
            lane = self._lane_of(work.adapter)
            if self._under_way and lane != self._lane:
                later.append(work)
                continue
            self._lane = lane
            self._begin(work)
        self._held = later

    def _lane_of(self, adapter: str | None) -> object:
        return {"free": None, "base apart": adapter is None, "one at a time": adapter}[self._mixing]

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
        if self._finished:
            self._pipe.send(("answers", self._run, self._finished, self._client.usage))
            self._finished = []
            self._client.usage = Usage()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
