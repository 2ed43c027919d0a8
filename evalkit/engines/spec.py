"""The spec that every engine declares, and how the installed engines are found.

Each engine declares one `EngineSpec` under the entry-point group `evalkit.engines`, those that ship with evalkit too
(in pyproject.toml). All other rooms ask the spec; none of them compares an engine's name. Reading a spec must not
import a model library: `start` and the other functions import what they need when they are called.

docs/extending.md shows a whole engine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Protocol

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer, Loading, Reader, Seats
from evalkit.engines.price import FREE, Price
from evalkit.errors import UsageError, nearest
from evalkit.plugins import PROJECT, PluginGroup
from evalkit.types import Adapter, Arguments, ModelSpec

__all__ = [
    "AUTO",
    "ENGINES",
    "GROUP",
    "LOCAL",
    "PROJECT",
    "Ability",
    "Embedder",
    "EngineSettings",
    "EngineSpec",
    "ServedJudge",
    "all_specs",
    "broken",
    "check_ability",
    "check_device",
    "check_name",
    "choose",
    "distributions",
    "engine_names",
    "find_spec",
    "is_installed",
    "pace_arguments",
    "start",
    "startable",
]

GROUP = "evalkit.engines"
AUTO = "auto"

Ability = Literal["score", "generate", "adapters", "token_ids", "self_debias"]
LOCAL: frozenset[Ability] = frozenset({"score", "generate", "adapters", "token_ids"})
"""The abilities of an engine that loads the weights."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The flags of a run that engines interpret, each in its own way."""

    batch_size: str = "auto"
    """`auto`, or a whole number."""
    device: str | None = None
    seed: int = 1234
    replicas: int | str | None = None
    """How many copies of the model; `auto`: as many as the GPUs hold. None, without a cluster: this process alone."""
    cluster: str | None = None
    """The Ray cluster that they run on: `auto`, or HOST:PORT of its head."""


@dataclass(frozen=True, slots=True)
class ServedJudge:
    """A judge behind a server."""

    engine: Engine
    fingerprint: str
    concurrency: int
    """The number of requests that it takes at once."""


class Embedder(Protocol):
    """Gives texts their vectors."""

    fingerprint: str

    def embed(self, texts: Sequence[str]) -> list[list[float]]: ...

    def close(self) -> None: ...


def find_weights(
    typed: str, model_args: Arguments, trust_remote_code: bool, pace_arguments: frozenset[str] = frozenset()
) -> EngineModel:
    """Find and fingerprint a model whose weights are local or on the hub."""
    from evalkit.models.found import find_model

    return find_model(typed, model_args, trust_remote_code=trust_remote_code, pace_arguments=pace_arguments)


def load_tokenizer(model: EngineModel) -> EngineTokenizer:
    """The tokenizer of a model's checkpoint."""
    from evalkit.tokens import Tokenizer

    return Tokenizer.load(model.spec)


def _free(model: str, args: Arguments) -> Price | None:
    return FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """One engine: what it needs, what it can do, and the functions that find, start and price a model."""

    name: str
    """What --engine takes."""
    title: str
    """The name as it is usually written: vLLM."""
    semantics: str
    """Part of every answer's key. Raise it when the engine's answers change meaning: `my-engine/2`."""

    start: Callable[[ModelSpec, Any, Sequence[Adapter], EngineSettings], Engine]
    """Model, tokenizer, adapters and settings → the running engine. Called through `start()` below."""
    find_model: Callable[[str, Arguments, bool], EngineModel] = find_weights
    """What was typed after --model, the --model-args, and --trust-remote-code → the model, found and fingerprinted.
    The default is for engines that load weights."""
    load_tokenizer: Callable[[EngineModel], EngineTokenizer] = load_tokenizer
    """The default is the checkpoint's own tokenizer."""
    start_needs_tokenizer: bool = True
    """Whether `start` uses the tokenizer. If not, replicas do not load it, and it may be None there."""

    needs: tuple[str, ...] = ()
    """The modules that must be installed."""
    install: str = PROJECT
    """What pip installs for it: `lm-evalkit[vllm]`."""
    distributions: tuple[str, ...] = ()
    """Installed packages whose versions a run records."""
    library: str = ""
    """The package whose version is the engine's; empty: the one of the engine's name."""
    check: Callable[[], str | None] | None = None
    """The state that `evalkit doctor` shows if its modules are installed; None or no function: `installed`."""

    abilities: frozenset[Ability] = LOCAL
    beyond_window: int = 1
    """Tokens of context and continuation that may exceed the window. The last token is never read, so this is 1; for an
    engine that always generates a token it is -1. lm-eval's backends differ in the same way."""
    refuses_adapter: Callable[[str | Path], str | None] | None = None
    """Why the engine would refuse an adapter; None if it takes it. A refused adapter is merged into the model."""

    arguments: frozenset[str] = frozenset()
    """The names of its own --model-args. Not complete if the engine's library takes more."""
    pace_arguments: frozenset[str] = frozenset()
    """--model-args that change only the speed, not the answers. All others count as part of the model."""
    device: Literal["taken", "ignored", "refused"] = "refused"
    """What --device means to it."""
    check_device: Callable[[str], None] | None = None
    """Raises UsageError if there is no such device. Called before anything is loaded, also if all answers are in the
    journal."""
    device_instead: str = "set CUDA_VISIBLE_DEVICES"
    """What to do instead, if --device is refused."""
    lm_eval_names: tuple[str, ...] = ()
    """Values of lm-eval's --model that mean this engine."""
    lm_eval_model_arguments: tuple[str, ...] = ("pretrained",)
    """The --model-args that name the model then; the first that is given counts."""

    start_reader: Callable[[ModelSpec, EngineSettings], Reader] | None = None
    """Loads an encoder with a question-answering head, for engines that can."""

    price: Callable[[str, Arguments], Price | None] = _free
    """A model's name and the --model-args → what its tokens cost; None where that is not known."""
    costs_money: bool = False
    """Whether --max-usd applies."""
    serve_judge: Callable[[str, str, str | None, Arguments, bool], ServedJudge] | None = None
    """For servers: opens a judge. Gets what was typed, the model, the URL behind its @, the --judge-args, and whether
    the server may be called. Without this function, a judge is loaded like any model."""

    open_embedder: Callable[[str, str | None], Embedder] | None = None
    """For servers: a model's name and the URL behind its @ → the vectors of texts."""

    priority: int = 0
    """The order of engines in lists and for --engine auto: high first."""
    suits: Callable[[], bool] | None = None
    """Whether --engine auto may choose it on this machine. Without this function, it must be named."""
    instead: str | None = None
    """What to type instead, if --engine takes the name but a run cannot use the engine."""
    wrap: Callable[[EngineSpec], EngineSpec] | None = None
    """For an engine that runs copies of others: the engine that was chosen → the spec of a run with --replicas, usually
    that of the chosen engine with `start` replaced (dataclasses.replace)."""
    begin: Callable[[ModelSpec, Sequence[Adapter], EngineSettings], Loading] | None = None
    """Begins to load and does not wait, for engines that load in other processes: prompts are built meanwhile."""
    open_seats: Callable[[Arguments, EngineSettings], Seats] | None = None
    """The --model-args → places for copies of several models, for --replicas with several models."""

    def __post_init__(self) -> None:
        if self.find_model is find_weights:
            object.__setattr__(self, "find_model", partial(find_weights, pace_arguments=self.pace_arguments))

    def missing(self) -> list[str]:
        """The modules that it needs and that are missing."""
        return [module for module in self.needs if not is_installed(module)]

    @property
    def is_served(self) -> bool:
        """Whether the model is behind a server and not loaded here."""
        return self.serve_judge is not None


# ── finding ──────────────────────────────────────────────────────────────────


ENGINES: PluginGroup[EngineSpec] = PluginGroup(
    GROUP,
    EngineSpec,
    shipped={
        "hf": "evalkit.engines.huggingface.spec:SPEC",
        "vllm": "evalkit.engines.vllm.spec:SPEC",
        "openai": "evalkit.engines.openai.spec:SPEC",
        "replay": "evalkit.engines.replay.spec:SPEC",
        "ray": "evalkit.engines.ray.spec:SPEC",
    },
)


def engine_names() -> tuple[str, ...]:
    """Every --engine there is, the preferred first. Plug-ins that cannot be loaded stand last."""
    working = all_specs()
    return (*working, *sorted(set(ENGINES.declared()) - set(working)))


def find_spec(name: str) -> EngineSpec:
    """The engine of that name. UsageError where there is none, PluginError where it cannot be loaded."""
    if name not in ENGINES.declared():
        names = (AUTO, *engine_names())
        raise UsageError(f"--engine {name}: no such engine{nearest(name, names)} (one of {', '.join(names)})")
    return ENGINES.find(name)


def check_name(name: str) -> None:
    """UsageError if there is no engine of that name. The engine itself is not loaded."""
    if name != AUTO and name not in ENGINES.declared():
        find_spec(name)


@cache
def all_specs() -> Mapping[str, EngineSpec]:
    """Every engine that can be loaded, the preferred first. Broken plug-ins are left out: see `broken`."""
    specs = ENGINES.working().values()
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: (-spec.priority, spec.name))}


def broken() -> Mapping[str, str]:
    """The plug-ins that cannot be loaded, and why."""
    return ENGINES.broken()


def startable() -> list[EngineSpec]:
    """The engines that a run can use."""
    return [spec for spec in all_specs().values() if spec.instead is None]


def pace_arguments(names: Iterable[str | None] = ()) -> frozenset[str]:
    """The --model-args of these engines that do not change answers; those of all engines if one is not known."""
    specs = all_specs()
    asked = [specs.get(name or "") for name in names]
    working = [spec for spec in asked if spec is not None]
    chosen = working if working and len(working) == len(asked) else specs.values()
    return frozenset().union(*(spec.pace_arguments for spec in chosen))


def distributions() -> tuple[str, ...]:
    """The packages of all engines whose versions a run records."""
    return tuple(dict.fromkeys(name for spec in all_specs().values() for name in spec.distributions))


# ── choosing and starting ────────────────────────────────────────────────────


def choose(asked: str, *, fleet: bool = False) -> EngineSpec:
    """The requested engine, or the best one on this machine for `auto`. UsageError if it is not installed.

    `fleet`: as several copies of it.
    """
    spec = _best() if asked == AUTO else find_spec(asked)
    if spec.instead is not None:
        raise UsageError(f"--engine {spec.name} {spec.instead}")
    if missing := spec.missing():
        raise UsageError(f'--engine {spec.name} needs {", ".join(missing)}: pip install "{spec.install}"')
    return _as_fleet(spec) if fleet else spec


def _as_fleet(spec: EngineSpec) -> EngineSpec:
    wrap = next((other.wrap for other in all_specs().values() if other.wrap is not None), None)
    if wrap is None:
        raise UsageError(f"--replicas: no engine is installed that runs several copies of {spec.name}")
    wrapped = wrap(spec)
    if missing := wrapped.missing():
        raise UsageError(f'--replicas needs {", ".join(missing)}: pip install "{wrapped.install}"')
    return wrapped


def _best() -> EngineSpec:
    candidates = [spec for spec in startable() if spec.suits is not None]
    for spec in candidates:
        if spec.suits is not None and spec.suits():
            return spec
    first, *others = candidates
    hint = ", or ".join([f'"{first.install}" for a GPU', *(f'"{spec.install}"' for spec in others)])
    raise UsageError(f"no engine is installed: pip install {hint}")


def start(
    spec: EngineSpec, model: ModelSpec, tokenizer: Any, adapters: Sequence[Adapter], settings: EngineSettings
) -> Engine:
    """Start the engine. UsageError if it does not take --device."""
    check_device(spec, settings.device)
    return spec.start(model, tokenizer, adapters, settings)


def check_device(spec: EngineSpec, device: str | None) -> None:
    """UsageError if the engine does not take --device, or there is no such device."""
    if device is None:
        return
    if spec.device == "refused":
        takes = " or ".join(other.name for other in startable() if other.device == "taken")
        raise UsageError(f"--device goes with --engine {takes}; for {spec.name} {spec.device_instead}")
    if spec.device == "taken" and spec.check_device is not None:
        spec.check_device(device)


def is_installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def check_ability(spec: EngineSpec, ability: Ability, flag: str) -> None:
    """UsageError where the engine cannot do what a flag asks for; it names the engines that can."""
    if ability in spec.abilities:
        return
    able = [other.name for other in startable() if ability in other.abilities]
    named = " or ".join(f"--engine {name}" for name in able) or "no engine that is installed can"
    raise UsageError(f"{flag}: the {spec.name} engine ({spec.title}) cannot do that; type {named}")
