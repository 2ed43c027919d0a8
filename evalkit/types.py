"""The frozen records that are passed from one room to the next.

Request        what a document asks of a model, in text            registry → tokens
TokenRequest   the same in token ids, cut to the window            tokens → journal, planning
Score, Generate  ordered work for an engine                        planning → engine
Scored, Generated, Failed  what came back, one per request id      engine → journal, runner
Row            one document under one filter, with its figures     scoring → results
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = [
    "Adapter",
    "Answer",
    "Arguments",
    "Contribution",
    "Failed",
    "Figure",
    "Finish",
    "Generate",
    "GenerateRequest",
    "Generated",
    "JsonObject",
    "Located",
    "Message",
    "ModelSpec",
    "Program",
    "Prompt",
    "RawDocument",
    "RawValues",
    "Request",
    "Row",
    "SampleSpread",
    "Samples",
    "Sampling",
    "Score",
    "ScoreRequest",
    "Scored",
    "Span",
    "TaskConfig",
    "TokenIds",
    "TokenRequest",
    "Usage",
    "Verdict",
    "VerdictName",
    "Work",
]

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object as it is read or written: its keys are another program's, or nobody has checked them yet."""

TokenIds: TypeAlias = "array[int]"
"""Token ids as `array("i")`: four bytes each, and `.tobytes()` is what gets hashed."""

Finish = Literal["stop", "length", "unfinished", "error"]
"""Why a generation ended. `unfinished`: a reasoning trace cut off before its end marker."""

RawDocument: TypeAlias = Mapping[str, Any]
"""A document of a data set, by its fields. Its task alone knows them."""

RawValues: TypeAlias = Mapping[str, Any]
"""The values of one document by metric, as the metric's aggregation takes them."""

TaskConfig: TypeAlias = dict[str, Any]
"""A task as its YAML file has it, with lm-eval's keys and ours."""

Arguments: TypeAlias = Mapping[str, Any]
"""K=V,… of --model-args, --gen-kwargs or --judge-args: the names are those of any library."""


# ── what is asked ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Adapter:
    name: str
    path: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the user named it and as it was found."""

    typed: str
    """What was typed: alias, hub id, path or `nano`."""
    source: str
    """What the loader opens: a local path or a hub id."""
    alias: str | None = None
    revision: str | None = None
    tokenizer: str | None = None
    kind: Literal["base", "instruct", "chat"] | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    args: Arguments = field(default_factory=dict)
    """The other --model-args, which go to the engine."""


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


Prompt: TypeAlias = "str | tuple[Message, ...]"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate. Temperature 0 is greedy, whatever the other options are."""

    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    """Engine-specific options from --gen-kwargs, sorted by name."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a document to a model. A document may have several."""

    kind: Literal["score", "generate", "rolling"]
    context: Prompt
    continuation: str = ""
    gen_kwargs: Arguments = field(default_factory=dict)
    repeats: int = 1
    follows: Callable[[Sequence[str]], Prompt] | None = None
    """Makes the context from the answers to the document's requests before this one; it is empty until then."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """The log-probability of `continuation` after `context`, both already cut to the window."""

    id: int
    context: TokenIds
    continuation: TokenIds
    adapter: str | None = None
    cut_tokens: int = 0
    """The number of tokens that were cut from the left of the context."""


@dataclass(frozen=True, slots=True, eq=False)
class GenerateRequest:
    id: int
    prompt: TokenIds
    """Empty if the engine takes text only (an API)."""
    sampling: Sampling
    sample: int = 0
    """The number of the sample among those of this prompt; part of the answer's key."""
    text: Prompt = ""
    adapter: str | None = None
    cut_tokens: int = 0


TokenRequest: TypeAlias = "ScoreRequest | GenerateRequest"


# ── ordered work ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One context and all of its continuations; `ids[i]` asks for `continuations[i]`."""

    ids: tuple[int, ...]
    context: TokenIds
    continuations: tuple[TokenIds, ...]
    adapter: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Generate:
    """One prompt and its samples; `ids[i]` asks for sample number `samples[i]`."""

    ids: tuple[int, ...]
    prompt: TokenIds
    sampling: Sampling
    samples: tuple[int, ...] = (0,)
    text: Prompt = ""
    adapter: str | None = None


Work: TypeAlias = "Score | Generate"


# ── what came back ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scored:
    id: int
    logprob: float
    is_greedy: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document's context: the characters from `start` up to `end`, which is not part of it."""

    start: int
    end: int
    text: str
    score: float | None = None
    """How probable the model finds it."""


@dataclass(frozen=True, slots=True)
class Located:
    """What a reading model says beside the text of its answer."""

    span: Span | None = None
    """Where the answer stands in the context; None where the model finds no answer in it."""
    no_answer: float | None = None
    """How probable the model finds it that the context holds no answer; None: not known."""
    n_best: tuple[Span, ...] = ()
    """The likeliest spans, best first."""
    says_where: bool = True
    """Whether it says at all where the answer stands; `span` means nothing otherwise."""


@dataclass(frozen=True, slots=True)
class Generated:
    id: int
    text: str
    finish: Finish
    tokens: int
    """Tokens generated, reasoning included."""
    reasoning: str | None = None
    """The text before the end-of-thinking marker, if the model has one."""
    top_logprobs: tuple[tuple[tuple[str, float], ...], ...] | None = None
    """For each generated token: itself, then its most likely alternatives. Only if `Sampling.extra` asks for it."""
    located: Located | None = None
    """Where in the document's context it stands, of a model that marks spans."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine refused this request. Other requests are not affected."""

    id: int
    reason: str


Answer: TypeAlias = "Scored | Generated | Failed"


@dataclass(slots=True)
class Usage:
    """The tokens that an engine processed. Engines add to it while they run."""

    prompt: int = 0
    """Prompt tokens of all work."""
    computed: int = 0
    """Prompt tokens that went through the model."""
    cached: int = 0
    """Prompt tokens whose KV came from a cache."""
    generated: int = 0
    unknown: str | None = None
    """Why the counts are not those of all the work; None where they are."""


# ── code ─────────────────────────────────────────────────────────────────────

VerdictName = Literal["passed", "failed", "timed_out", "memory", "sandbox_error"]


@dataclass(frozen=True, slots=True)
class Program:
    """Untrusted source and the trusted tests that judge it."""

    source: str
    """The whole candidate: prompt and completion put together."""
    tests: str
    """Trusted. Defines `check(candidate)` if there is an entry point; otherwise plain asserts."""
    entry_point: str | None = None
    prelude: str = ""
    """Trusted code that the tests need beside them: the prompt's imports and helper functions."""
    seconds: float | None = None
    """The time that these tests need, where it is more than the sandbox gives every program."""


@dataclass(frozen=True, slots=True)
class Verdict:
    verdict: VerdictName
    reason: str
    """assertion, exception, syntax, exit, no such function … with what was raised; empty when passed."""
    seconds: float


# ── figures ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that may be unknown, with the reason. Unknown is never 0."""

    value: float | None
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    higher_is_better: bool | None = True
    """None: neither direction is better, or it is not known."""
    reason: str | None = None
    best_at: float | None = None
    """The value that is best, where neither more nor less is: the nearer the better."""
    spread: SampleSpread | None = None
    """Of a mean over several answers per document."""


@dataclass(frozen=True, slots=True)
class SampleSpread:
    """Where the standard error of a mean over several answers per document comes from."""

    samples: int
    stderr_documents: float | None
    """The part that other documents would change: more answers do not lower it."""
    stderr_samples: float | None
    """The part that other answers to the same documents would change."""
    std_over_samples: float | None
    """Standard deviation of the figure over the runs of one answer per document."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Several answers to one document under one filter."""

    metric: str
    """The metric that `scores` are values of, without the filter."""
    scores: tuple[float | None, ...]
    """None: the answer was not finished, and is not scored."""
    votes: tuple[str | None, ...]
    """What each answer says, normalised as the metric compares it. None: no answer was found in it."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one document adds to a figure of all documents together: `kind` says how the figure comes from the sums."""

    kind: str
    """A name of `evalkit.stats.CORPUS_KINDS`."""
    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A document under one filter. `sample` is lm-eval's logged sample; the other fields are evalkit's."""

    task: str
    doc_id: int
    doc_hash: str
    prompt_hash: str | None
    filter: str
    sample: JsonObject
    """The line of samples/<task>.jsonl: lm-eval's keys, then ours (finish, cut_tokens, unparsed, error …)."""
    metrics: RawValues
    """Raw per-document values, as lm-eval's aggregation takes them."""
    stratum: str | None = None
    cluster: str | None = None
    flags: tuple[str, ...] = ()
    """Of: cut, unfinished, unparsed, error, missing, unanswered."""
    samples: Samples | None = None
    """Where the document has several answers."""
    corpus: Mapping[str, Contribution] = field(default_factory=dict)
    """By metric, what the document adds to a figure of all documents together."""
