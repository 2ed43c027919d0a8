"""An engine that gives the same answer to every prompt: `--engine constant --model ANSWER`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.spec import EngineSettings, EngineSpec
from evalkit.errors import UsageError
from evalkit.models.fingerprint import model_fingerprint
from evalkit.tokens import Encoded, encode_text
from evalkit.types import Adapter, Answer, Failed, Generate, Generated, ModelSpec, Request, Usage, Work


@dataclass(frozen=True)
class ConstantModel:
    """What is known of the model before the engine starts."""

    spec: ModelSpec

    @property
    def fingerprint(self) -> str:
        return f"constant:{self.spec.source}"

    def key(self, adapter: Adapter | None) -> str:
        # All that determines an answer. Two models with one key would be given each other's kept answers.
        return model_fingerprint(self.fingerprint, repeat=str(self.spec.args.get("repeat", 1)))

    def manifest(self) -> Mapping[str, Any]:
        return {"typed": self.spec.typed, "source": self.spec.source, "fingerprint": self.fingerprint, "kind": None}

    def opened_from(self, spec: ModelSpec) -> ConstantModel:
        return replace(self, spec=spec)


@dataclass
class TextOnly:
    """Leaves prompts as text. An engine with weights uses `evalkit.tokens.Tokenizer.load(model.spec)` instead."""

    notes: list[str] = field(default_factory=list)
    max_length: int = 2**31

    def chat(self, named: bool | str = True) -> Any:
        raise UsageError("--apply-chat-template: the constant engine does not read its prompts; leave it out")

    def encode(self, requests: Iterable[Request], *, score_limit: int | None = None) -> list[Encoded]:
        return encode_text(requests)


class ConstantEngine:
    name = "constant"

    def __init__(self, answer: str) -> None:
        self.usage = Usage()
        self._answer = answer

    @property
    def description(self) -> Mapping[str, Any]:
        return {"name": self.name, "dtype": None, "scoring_path": "none"}

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        for item in work:
            if isinstance(item, Generate):
                for id in item.ids:
                    self.usage.generated += 1
                    yield Generated(id, self._answer, "stop", 1)
            elif item is not None:  # None: nothing to do yet, more may come
                for id in item.ids:
                    yield Failed(id, "the constant engine only generates")

    def close(self) -> None:
        pass


def find_model(typed: str, model_args: Mapping[str, Any], trust_remote_code: bool) -> EngineModel:
    return ConstantModel(ModelSpec(typed=typed, source=typed, args=dict(model_args)))


def load_tokenizer(model: EngineModel) -> EngineTokenizer:
    return TextOnly()


def start(model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings) -> Engine:
    # Heavy libraries are imported here, never at the top: this module is read whenever evalkit lists its engines.
    return ConstantEngine(model.source * int(model.args.get("repeat", 1)))


SPEC = EngineSpec(
    name="constant",
    title="one answer to everything",
    semantics="constant/1",
    find_model=find_model,
    load_tokenizer=load_tokenizer,
    start=start,
    abilities=frozenset({"generate"}),
    arguments=frozenset({"repeat"}),
)
