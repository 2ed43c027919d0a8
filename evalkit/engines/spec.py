"""What an engine says of itself, and how the engines that are installed are found.

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
from typing import Any, Literal

from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
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
    "EngineSettings",
    "EngineSpec",
    "ServedJudge",
    "all_specs",
    "broken",
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

Ability = Literal["score", "generate", "adapters", "token_ids"]
LOCAL: frozenset[Ability] = frozenset({"score", "generate", "adapters", "token_ids"})
"""What an engine can do that has the weights itself."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The flags of a run that are the engine's business. Each engine decides what they mean to it."""

    batch_size: str = "auto"
    """`auto`, or a whole number."""
    device: str | None = None
    seed: int = 1234


@dataclass(frozen=True, slots=True)
class ServedJudge:
    """A judge behind a server."""

    engine: Engine
    fingerprint: str
    concurrency: int
    """The requests that it takes at once."""


def find_weights(
    typed: str, model_args: Arguments, trust_remote_code: bool, pace_arguments: frozenset[str] = frozenset()
) -> EngineModel:
    """A model whose weights are here or on the hub."""
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
    """As a person writes it: vLLM."""
    semantics: str
    """Part of every answer's key. Raise it when the engine's answers change meaning: `my-engine/2`."""

    start: Callable[[ModelSpec, Any, Sequence[Adapter], EngineSettings], Engine]
    """Model, tokenizer, adapters and settings → the running engine. Called through `start()` below."""
    find_model: Callable[[str, Arguments, bool], EngineModel] = find_weights
    """What was typed after --model, the --model-args, and --trust-remote-code → the model, found and fingerprinted.
    The default is for engines that load weights."""
    load_tokenizer: Callable[[EngineModel], EngineTokenizer] = load_tokenizer
    """The default is the checkpoint's own tokenizer."""

    needs: tuple[str, ...] = ()
    """The modules that must be installed."""
    install: str = PROJECT
    """What pip installs for it: `lm-evalkit[vllm]`."""
    distributions: tuple[str, ...] = ()
    """Installed packages whose versions a run records."""
    check: Callable[[], str | None] | None = None
    """What `evalkit doctor` says of it where its modules are installed; None or no function: `installed`."""

    abilities: frozenset[Ability] = LOCAL
    beyond_window: int = 1
    """Tokens of context and continuation that may stand beyond the window. The last one is never read, so one may;
    an engine that always generates a token has one less than the window instead. lm-eval's backends differ likewise."""
    refuses_adapter: Callable[[str | Path], str | None] | None = None
    """Why the engine would not take an adapter; None where it takes it. What it refuses is merged into the model."""

    arguments: frozenset[str] = frozenset()
    """--model-args of its own, by name. Not complete where the engine's library decides what it takes."""
    pace_arguments: frozenset[str] = frozenset()
    """--model-args that change how fast answers come, not what they are. All others count as part of the model."""
    device: Literal["taken", "ignored", "refused"] = "refused"
    """What --device means to it."""
    check_device: Callable[[str], None] | None = None
    """Raises UsageError where there is no such device. Called before anything is loaded, also where the answers are
    kept and nothing has to be."""
    device_instead: str = "set CUDA_VISIBLE_DEVICES"
    """Where --device is refused: what to do instead."""
    lm_eval_names: tuple[str, ...] = ()
    """Values of lm-eval's --model that mean this engine."""
    lm_eval_model_arguments: tuple[str, ...] = ("pretrained",)
    """The --model-args that name the model then; the first that is given counts."""

    price: Callable[[str, Arguments], Price | None] = _free
    """A model's name and the --model-args → what its tokens cost; None where that is not known."""
    costs_money: bool = False
    """--max-usd makes sense."""
    serve_judge: Callable[[str, str, str | None, Arguments, bool], ServedJudge] | None = None
    """For engines that are servers: how a judge is asked. What was typed, the model, the URL behind its @, the
    --judge-args, and whether it may be called at all. Without it a judge is loaded like any model."""

    priority: int = 0
    """The order in which engines are listed, and in which --engine auto looks at them: high first."""
    suits: Callable[[], bool] | None = None
    """Whether --engine auto may choose it on this machine. Without it, it is only used when it is named."""
    instead: str | None = None
    """For a name that --engine knows but that no run can start: what to type instead."""
    configure: Callable[[Arguments], EngineSpec] | None = None
    """For an engine that wraps others: the --model-args → the spec that this run uses, usually that of the wrapped
    engine with `start` and `name` replaced (dataclasses.replace)."""
    inner: EngineSpec | None = None
    """The wrapped engine's spec."""

    def __post_init__(self) -> None:
        if self.find_model is find_weights:
            object.__setattr__(self, "find_model", partial(find_weights, pace_arguments=self.pace_arguments))

    def missing(self) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [module for module in self.needs if not is_installed(module)]

    @property
    def is_served(self) -> bool:
        """The model is behind a server: nothing of it is loaded here."""
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
    },
)


def engine_names() -> tuple[str, ...]:
    """Every --engine there is, the preferred first. Plug-ins that cannot be loaded stand last."""
    working = all_specs()
    return (*working, *sorted(set(ENGINES.declared()) - set(working)))


def find_spec(name: str) -> EngineSpec:
    """The engine of that name. UsageError where there is none, PluginError where it cannot be loaded."""
    if name not in ENGINES.declared():
        known = (AUTO, *engine_names())
        raise UsageError(f"--engine {name}: no such engine{nearest(name, known)} (one of {', '.join(known)})")
    return ENGINES.find(name)


def check_name(name: str) -> None:
    """UsageError where --engine takes no such name. No engine is loaded for a name that it takes."""
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
    """The --model-args that leave answers as they are, for these engines; for all, where one of them is not known."""
    specs = all_specs()
    asked = [specs.get(name or "") for name in names]
    known = [spec for spec in asked if spec is not None]
    chosen = known if known and len(known) == len(asked) else specs.values()
    return frozenset().union(*(spec.pace_arguments for spec in chosen))


def distributions() -> tuple[str, ...]:
    """The packages of all engines whose versions a run records."""
    return tuple(dict.fromkeys(name for spec in all_specs().values() for name in spec.distributions))


# ── choosing and starting ────────────────────────────────────────────────────


def choose(asked: str, model_args: Arguments | None = None) -> EngineSpec:
    """The engine that was asked for, or the best one here for `auto`; UsageError where it is not installed."""
    spec = _best() if asked == AUTO else find_spec(asked)
    if spec.instead is not None:
        raise UsageError(f"--engine {spec.name} {spec.instead}")
    if missing := spec.missing():
        raise UsageError(f'--engine {spec.name} needs {", ".join(missing)}: pip install "{spec.install}"')
    return spec if spec.configure is None else spec.configure(model_args or {})


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
    """The running engine. UsageError where it has no use for --device."""
    check_device(spec, settings.device)
    return spec.start(model, tokenizer, adapters, settings)


def check_device(spec: EngineSpec, device: str | None) -> None:
    """UsageError where the engine has no use for --device, or there is no such device here."""
    if device is None:
        return
    if spec.device == "refused":
        takes = " or ".join(other.name for other in startable() if other.device == "taken")
        raise UsageError(f"--device goes with --engine {takes}; for {spec.name} {spec.device_instead}")
    if spec.device == "taken" and spec.check_device is not None:
        spec.check_device(device)


def is_installed(module: str) -> bool:
    """Whether a module can be imported; it is not."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
