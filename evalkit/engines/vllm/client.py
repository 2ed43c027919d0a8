"""Sends requests to vLLM and reads its outputs, in the same way for all supported versions.

What a version can do is found from its SamplingParams, not from its version number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, cast

from evalkit.engines.vllm.generating import TOPS, Thinking, finished_text, sampling_fields
from evalkit.engines.vllm.rows import PackedRows
from evalkit.engines.vllm.scoring import Ask, Reading, Row
from evalkit.errors import UsageError
from evalkit.types import Adapter, Arguments, Failed, Finish, Generate, Generated, Sampling, TokenIds, Usage

__all__ = ["Client", "Draw", "Refused"]


class Refused(Exception):
    """vLLM refuses this request; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One sample of a prompt."""

    id: int
    prompt: TokenIds
    sampling: Sampling
    sample: int

    @property
    def tops(self) -> int:
        """How many of the most likely alternatives to return with each token."""
        return int(dict(self.sampling.extra).get(TOPS) or 0)

    @classmethod
    def of(cls, work: Generate) -> Iterator[Draw]:
        return (cls(id, work.prompt, work.sampling, n) for id, n in zip(work.ids, work.samples, strict=True))


class Client:
    """A loaded vLLM engine: takes requests, and returns the outputs of its steps."""

    def __init__(self, llm: Any, adapters: Sequence[Adapter], thinking: Thinking | None) -> None:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        self.engine = llm.llm_engine
        self.usage = Usage()
        self._thinking = thinking
        self._make_params = SamplingParams
        self._fields = frozenset(getattr(SamplingParams, "__struct_fields__", ())) or frozenset(
            getattr(SamplingParams, "__annotations__", ())
        )
        self._final_only = RequestOutputKind.FINAL_ONLY
        self._loras = {a.name: _lora(a, number) for number, a in enumerate(adapters, start=1)}
        self._inputs = _inputs()
        self._count = 0

    @property
    def can_label(self) -> bool:
        """Whether this version supports the fast way of scoring."""
        return {"logprob_token_ids", "skip_reading_prefix_cache"} <= self._fields

    @property
    def max_labels(self) -> int:
        allowed = int(getattr(self.engine.model_config, "max_logprobs", 20))
        return allowed if allowed > 0 else 1024

    @property
    def block(self) -> int:
        """The block size of the prefix cache; 0 if there is none."""
        cache = self.engine.vllm_config.cache_config
        return int(cache.block_size or 0) if cache.enable_prefix_caching else 0

    @property
    def busy(self) -> bool:
        return bool(self.engine.has_unfinished_requests())

    def ask(self, ask: Ask, adapter: str | None) -> str:
        """Send a scoring request and return its name. Raises Refused."""
        fields: dict[str, object] = {"max_tokens": 1, "temperature": 0.0, "detokenize": False}
        if ask.labels:
            fields["logprob_token_ids"] = list(ask.labels)
        if ask.rows_from is not None:
            fields["prompt_logprobs"] = 1
        if self.can_label:
            fields["skip_reading_prefix_cache"] = ask.from_scratch
        if "flat_logprobs" in self._fields:
            fields["flat_logprobs"] = True
        return self._add(ask.prompt, fields, adapter)

    def draw(self, draw: Draw, adapter: str | None) -> str:
        """Send a generation request and return its name. Raises Refused, or UsageError for an unknown option."""
        options = self._fields
        fields = sampling_fields(draw.sampling, draw.prompt, draw.sample, options, self._thinking)
        if draw.tops:
            fields["logprobs"] = min(draw.tops, self.max_labels)
        return self._add(draw.prompt, fields, adapter)

    def step(self) -> list[Any]:
        """Run one step of the engine; returns the outputs that finished in it."""
        return [output for output in self.engine.step() if output.finished]

    def abort(self, requests: Sequence[str]) -> None:
        self.engine.abort_request(list(requests))
        while self.busy:
            self.engine.step()

    def shut_down(self) -> None:
        """Stop the processes that vLLM started."""
        shutdown = getattr(self.engine.engine_core, "shutdown", None)
        if shutdown is not None:
            shutdown()

    def forget(self) -> None:
        """Empty the prefix cache."""
        self.engine.reset_prefix_cache()

    def add_adapter(self, name: str) -> None:
        """Load an adapter now, so that a refusal shows before any work."""
        self.engine.add_lora(self._loras[name])

    # ── outputs ──────────────────────────────────────────────────────────────

    def reading(self, ask: Ask, output: Any) -> Reading:
        cached = self._account(ask.prompt, output)
        labels: list[Row] = []
        if ask.labels:
            best, *others = _entries(output.outputs[0].logprobs, 0, ask.labels)
            labels = [(value, best) for value in others]
        return Reading(labels, self._rows(ask, output, cached))

    def generated(self, draw: Draw, output: Any) -> Generated | Failed:
        self._account(draw.prompt, output)
        made = output.outputs[0]
        self.usage.generated += len(made.token_ids)
        if made.finish_reason not in ("stop", "length"):
            return Failed(draw.id, f"vLLM gave this request up ({made.finish_reason})")
        finish = cast(Finish, made.finish_reason)
        text, reasoning, finish = finished_text(made.text, finish, draw.sampling.stop, self._thinking)
        tops = tuple(map(_alternatives, made.logprobs, made.token_ids)) if draw.tops else None
        return Generated(draw.id, text, finish, len(made.token_ids), reasoning, tops)

    def _account(self, prompt: TokenIds, output: Any) -> int:
        cached = int(output.num_cached_tokens or 0)
        self.usage.prompt += len(prompt)
        self.usage.cached += cached
        self.usage.computed += len(prompt) - cached
        return cached

    def _rows(self, ask: Ask, output: Any, cached: int) -> list[Row | None]:
        if ask.rows_from is None:
            return []
        table, wanted = output.prompt_logprobs, len(ask.prompt) - ask.rows_from
        # Counted from the end: some versions leave out the rows of cached positions.
        if isinstance(table, PackedRows):
            tail = table.tail(wanted)
        else:
            have = len(table) if table is not None else 0
            last_tokens = ask.prompt[-wanted:]
            positions = range(max(1, have - wanted), have)
            tail = [_entries(table, at, (last_tokens[at - have],), own_first=True) for at in positions]
        rows: list[Row | None] = [(entries[0], max(entries)) for entries in tail]
        # A row comes from the pass over the position before it; if that was cached, the row holds garbage.
        garbage = min(wanted, max(0, cached + 1 - ask.rows_from))
        return [*[None] * max(garbage, wanted - len(rows)), *rows[max(0, garbage - (wanted - len(rows))) :]]

    def _add(self, prompt: TokenIds, fields: Arguments, adapter: str | None) -> str:
        if adapter is not None and adapter not in self._loras:
            raise Refused(f"no adapter named {adapter!r} was loaded")
        # These objects are used only here, so vLLM need not copy them, if this version has the option.
        no_copy = {"skip_clone": True} if "skip_clone" in self._fields else {}
        try:
            params = self._make_params(**fields, **no_copy, output_kind=self._final_only)
        except TypeError as error:
            raise UsageError(f"vLLM does not take these sampling options: {error}") from error
        except Exception as error:
            raise Refused(" ".join(str(error).split())) from error
        self._count += 1
        name = str(self._count)
        lora = self._loras[adapter] if adapter is not None else None
        try:
            self.engine.add_request(name, self._inputs(prompt.tolist()), params, lora_request=lora)
        except Exception as error:
            # Versions raise different errors for a bad request; a dead engine must not count as a refusal.
            if "Dead" in type(error).__name__ or isinstance(error, OSError | MemoryError):
                raise
            raise Refused(" ".join(str(error).split())) from error
        return name


def _entries(table: Any, at: int, ids: Sequence[int], own_first: bool = False) -> list[float]:
    """Log-probabilities at one position: of the sampled token (or the prompt's), then of the others in order."""
    if hasattr(table, "start_indices"):
        start, end = table.start_indices[at], table.end_indices[at]
        if own_first:
            return list(table.logprobs[start:end])
        # Read by position, not by id: shorter lists are padded with id 0.
        return list(table.logprobs[start : start + 1 + len(ids)])
    entries = table[at]
    if own_first:
        return [entries[ids[0]].logprob, *(entry.logprob for entry in entries.values())]
    best = next(iter(entries.values())).logprob
    return [best, *(entries[id].logprob for id in ids)]


def _alternatives(entries: Any, sampled: int) -> tuple[tuple[str, float], ...]:
    """The sampled token, then the most likely others, with their log-probabilities."""
    others = (entry for id, entry in entries.items() if id != sampled)
    return tuple((str(entry.decoded_token), float(entry.logprob)) for entry in (entries[sampled], *others))


def _inputs() -> Any:
    try:
        from vllm.inputs import tokens_input
    except ImportError:
        from vllm import TokensPrompt

        return lambda ids: TokensPrompt(prompt_token_ids=ids)
    return tokens_input


def _lora(adapter: Adapter, number: int) -> Any:
    from vllm.lora.request import LoRARequest

    return LoRARequest(adapter.name, number, adapter.path)
