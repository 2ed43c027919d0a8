"""What results.json holds, as frozen types: entries of tasks and groups with their metrics, timing and tokens."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from evalkit.results.values import (
    Flag,
    Number,
    Numbers,
    Pair,
    Text,
    Whole,
    entries,
    kind_of,
    named,
    names,
)
from evalkit.validation import Record

__all__ = [
    "NOT_STATED",
    "Count",
    "EarlyStopping",
    "EarlyTask",
    "Entry",
    "GroupResult",
    "JudgeInfo",
    "Metric",
    "Names",
    "Results",
    "RubricInfo",
    "Settings",
    "TaskResult",
    "Thoughts",
    "Timing",
    "Tokens",
    "Verdicts",
]

Settings = Annotated[Mapping[str, Any] | None, BeforeValidator(kind_of(Mapping))]
"""Free-form settings, whose keys are another program's: generation arguments, versions, hardware."""

Names = Annotated[tuple[str, ...] | None, BeforeValidator(names)]


class Count(Record):
    """A number of documents or tokens. Unknown is None with a reason, never 0."""

    value: Whole = None
    reason: Text = None

    @classmethod
    def unknown(cls, reason: str) -> Count:
        return cls(value=None, reason=reason)

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, content: Any) -> Any:
        return content if isinstance(content, Mapping | Count) else {"value": content}

    @model_serializer
    def _to_number(self) -> int | dict[str, Any] | None:
        return self.value if self.reason is None else {"value": self.value, "reason": self.reason}


NOT_STATED = Count.unknown("the run does not state it")


class RubricInfo(Record):
    id: Text = None
    version: Any = None
    hash: Text = None


class JudgeInfo(Record):
    name: Text = None
    fingerprint: Text = None


class Metric(Record):
    """One figure. `scale` and what follows it stand only in the figures of a judge."""

    value: Number = None
    """None: not known, and `reason` says why. It may be NaN where another program wrote one."""
    stderr: Number = None
    ci95: Pair = None
    higher_is_better: Flag = True
    """None: neither way is better, or it is not known which."""
    best_at: Number = None
    """The best value, where neither more nor less is better: the nearer the better."""
    reason: Text = None
    stderr_reason: Text = None
    samples: Whole = None
    """Of a mean over several answers per document, as the next three: how many answers."""
    stderr_documents: Number = None
    stderr_samples: Number = None
    std_over_samples: Number = None
    scale: Pair = None
    coverage: Number = None
    n: Whole = None
    missing: Numbers = None
    """Answers without a score, by reason."""
    method: Text = None
    methods: Numbers = None
    rubric: Annotated[RubricInfo | None, BeforeValidator(kind_of(Mapping, RubricInfo))] = None
    judge: Annotated[tuple[JudgeInfo, ...], BeforeValidator(entries)] = ()
    fingerprint: Text = None
    calibration: Settings = None
    disagreement: Number = None
    against: Any = None
    """Of a pairwise judgment: the other model."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, content: Any) -> Any:
        if isinstance(content, Metric):
            return content
        given = dict(content) if isinstance(content, Mapping) else {"value": content}
        value = given.get("value")
        if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
            given.setdefault("reason", f"{str(value)[:60]!r} is not a number")
        return given

    @property
    def judged(self) -> bool:
        """Whether a judge gave it."""
        return self.states("rubric")


Metrics = Annotated[Mapping[str, Metric], BeforeValidator(named)]


class Entry(Record):
    """A task or a group in results.json."""

    version: Any = None
    num_fewshot: Whole = None
    n: Whole = None
    """Documents that the figures cover."""
    missing: Count = NOT_STATED
    metrics: Metrics = Field(default_factory=dict)
    headline: Text = None
    """The metric that it is known by."""
    chance: Number = None
    """What guessing scores."""

    @property
    def all_members(self) -> tuple[str, ...]:
        """A group's members; none of a task."""
        return ()


class Thoughts(Record):
    """How long a model thought over a task's documents, and how often it came to no answer."""

    answers: Whole = None
    unfinished: Number = None
    """The share of answers that are a thought without an end."""
    median_tokens: Number = None
    p95_tokens: Number = None
    empty: Whole = None
    """Answers after an empty thought, or after none."""


class Verdicts(Record):
    """How the programs of a code task ended, as shares of all its programs."""

    programs: Whole = None
    timed_out: Number = None
    memory: Number = None
    sandbox_error: Number = None


class TaskResult(Entry):
    truncated_prompts: Count = NOT_STATED
    unfinished: Count = NOT_STATED
    unparsed: Count = NOT_STATED
    errors: Count = NOT_STATED
    broken_rows: Count = NOT_STATED
    not_run: Count = NOT_STATED
    thinking: Annotated[Thoughts | None, BeforeValidator(kind_of(Mapping, Thoughts))] = None
    verdicts: Annotated[Verdicts | None, BeforeValidator(kind_of(Mapping, Verdicts))] = None


class GroupResult(Entry):
    members: Names = None
    part_of: Text = None
    """The task whose documents of `strata` the group holds."""
    strata: Names = None

    @property
    def all_members(self) -> tuple[str, ...]:
        return self.members or ()


class Timing(Record):
    """Seconds."""

    load: Number = None
    build: Number = None
    inference: Number = None
    scoring: Number = None
    total: Number = None
    own_share: Number = None
    """The share of the answers that were made in this time; the others were in the journal. Not of older runs."""


class Tokens(Record):
    """This run's own work, without what the journal knew."""

    prompt: Count = NOT_STATED
    computed: Count = NOT_STATED
    cached: Count = NOT_STATED
    unique: Count = NOT_STATED
    generated: Count = NOT_STATED


class EarlyTask(Record):
    """A verdict of a run that was judged while it ran."""

    verdict: Text = None
    by: Text = None
    n: Whole = None
    of: Whole = None
    not_run: Whole = None
    rounds: Whole = None
    rounds_of: Whole = None
    in_full: Text = None
    tier: Text = None
    metric: Text = None
    higher_is_better: Flag = True
    baseline: Number = None
    candidate: Number = None
    delta: Number = None
    lower: Settings = None
    upper: Settings = None
    margin: Settings = None
    p: Number = None
    p_holm: Number = None
    max_drop: Any = None
    tolerance: Number = None
    flips: Numbers = None
    reasons: Names = None


class EarlyStopping(Record):
    verdict: Text = None
    reason: Text = None
    tasks: Annotated[Mapping[str, EarlyTask], BeforeValidator(named)] = Field(default_factory=dict)


class Results(Record):
    """results.json"""

    format: Any = Field(default=1, alias="schema")
    run_id: Text = None
    model: Any = None
    requested: Names = None
    status: str = "complete"
    limited: Flag = None
    tasks: Annotated[Mapping[str, TaskResult], BeforeValidator(named)] = Field(default_factory=dict)
    groups: Annotated[Mapping[str, GroupResult], BeforeValidator(named)] = Field(default_factory=dict)
    timing: Annotated[Timing, BeforeValidator(kind_of(Mapping, Timing, {}))] = Field(default_factory=Timing)
    tokens: Annotated[Tokens, BeforeValidator(kind_of(Mapping, Tokens, {}))] = Field(default_factory=Tokens)
    notes: Annotated[tuple[str, ...], BeforeValidator(kind_of(list | tuple, default=()))] = ()
    early_stopping: Annotated[EarlyStopping | None, BeforeValidator(kind_of(Mapping, EarlyStopping))] = None

    def parts(self, task: str) -> list[str]:
        """The groups that a task's documents fall into."""
        return [name for name, group in self.groups.items() if group.part_of == task and name != task]

    def entry(self, name: str) -> TaskResult | GroupResult | None:
        """The entry of a task or group. A group's comes first: a leaf may share its name."""
        return self.groups.get(name) or self.tasks.get(name)
