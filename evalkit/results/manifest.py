"""What manifest.json holds, as frozen types: all that determined a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalkit.results.figures import EarlyStopping, Names, Settings
from evalkit.results.values import (
    Flag,
    Number,
    Text,
    Whole,
    bounded,
    kind_of,
    object_or,
)
from evalkit.validation import Record

__all__ = [
    "AdapterInfo",
    "AgainstInfo",
    "ChatTemplateInfo",
    "EngineInfo",
    "Imported",
    "Manifest",
    "ModelInfo",
    "TaskSettings",
    "ThinkingInfo",
]


class ModelInfo(Record):
    typed: Text = None
    alias: Text = None
    source: Text = None
    path: Text = None
    revision: Text = None
    fingerprint: Text = None
    kind: Text = None
    parameters: Whole = None
    license: Text = None
    architecture: Text = None
    dtype: Text = None
    quantization: Any = None
    trust_remote_code: Flag = None


class AdapterInfo(Record):
    name: Text = None
    path: Text = None
    fingerprint: Text = None


class EngineInfo(Record):
    name: Text = None
    dtype: Text = None
    quantization: Any = None
    max_length: Whole = None
    scoring_path: Text = None


class TaskSettings(Record):
    version: Any = None
    num_fewshot: Whole = None
    output_type: Text = None
    config_hash: Text = None
    data_hash: Text = None
    prompts_hash: Text = None
    generation: Settings = None
    repeats: Whole = None
    """Answers asked for per document."""


class ChatTemplateInfo(Record):
    applied: Flag = None
    source: Text = None
    hash: Text = None
    fewshot_as_multiturn: Flag = None
    system_instruction: Text = None


class Imported(Record):
    """Which other program made the run."""

    tool: Text = None
    version: Text = None
    file: Text = None


class ThinkingInfo(Record):
    """The markers of the model's thoughts."""

    start: Text = None
    end: Text = None
    opened: Flag = None
    """Prompts end inside a thought."""
    budget: Whole = None
    """Tokens after which a thought is closed."""


class AgainstInfo(Record):
    """The baseline of `run --against`, and what decides which documents are run."""

    run_id: Text = None
    model: Text = None
    fingerprint: Text = None
    created: Text = None
    seed: Any = None
    confidence: Number = None
    early_share: Number = None
    policy: Settings = None


class Manifest(Record):
    """manifest.json"""

    format: Any = Field(default=1, alias="schema")
    run_id: Text = None
    name: Text = None
    created: Text = None
    finished: Text = None
    """None and stated: it did not come to its end."""
    evalkit: Text = None
    command: Any = None
    requested: Names = None
    limit: Annotated[Any, BeforeValidator(bounded)] = None
    """A number of documents or a share of them; another tool's run may name the documents."""
    seeds: Settings = None
    tasks: Annotated[Mapping[str, TaskSettings], BeforeValidator(kind_of(Mapping, default={}, objects=True))] = Field(
        default_factory=dict
    )
    chat_template: Annotated[ChatTemplateInfo | None, BeforeValidator(kind_of(Mapping, ChatTemplateInfo))] = None
    sampling: Settings = None
    versions: Settings = None
    hardware: Settings = None
    sandbox: Any = None
    model: Annotated[ModelInfo, BeforeValidator(object_or("typed"))] = Field(default_factory=ModelInfo)
    adapter: Annotated[AdapterInfo | None, BeforeValidator(object_or("name", None))] = None
    engine: Annotated[EngineInfo | None, BeforeValidator(kind_of(Mapping | str, EngineInfo, text="name"))] = None
    replicas: Settings = None
    """Of --replicas: how many, on which hosts, how many were lost."""
    shard: Settings = None
    """Of --shard: `index` and `count`."""
    model_args: Settings = None
    thinking: Annotated[ThinkingInfo | None, BeforeValidator(kind_of(Mapping, ThinkingInfo))] = None
    """None: the model is not known to think."""
    against: Annotated[AgainstInfo | None, BeforeValidator(kind_of(Mapping, AgainstInfo))] = None
    early_stopping: Annotated[EarlyStopping | None, BeforeValidator(kind_of(Mapping, EarlyStopping))] = None
    judging: Settings = None
    imported: Annotated[Imported | None, BeforeValidator(kind_of(Mapping, Imported))] = None
