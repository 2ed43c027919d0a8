"""Stage 1, first half: find tasks, model, tokenizer and adapters. Most errors show here, before a model loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.config import RunConfig
from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.spec import EngineSpec, check_ability, check_device, choose
from evalkit.errors import UsageError
from evalkit.models.found import find_adapters
from evalkit.registry import Registry, Suite, Task
from evalkit.registry.kinds import FileOptions
from evalkit.runner.listener import Listener
from evalkit.runner.materials import Materials
from evalkit.runner.sizing import size
from evalkit.runner.thinking import find_thinking, told
from evalkit.tokens import ChatTemplate
from evalkit.tokens.thinking import Thinking
from evalkit.types import Adapter

__all__ = ["LoadedModel", "ModelSetup", "find", "load_suite"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is in memory already. The caller that loaded it closes its engine."""

    kind: EngineSpec
    model: EngineModel
    tokenizer: EngineTokenizer
    engine: Engine


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """A model with all that its prompts and its engine depend on."""

    typed: str
    kind: EngineSpec
    suite: Suite
    model: EngineModel
    tokenizer: EngineTokenizer
    adapters: Sequence[Adapter]
    chat: ChatTemplate | None
    thinking: Thinking | None
    engine: Engine | None

    @property
    def refused_adapters(self) -> bool:
        """Whether the engine refuses an adapter, which is then merged into a model of its own."""
        refuses = self.kind.refuses_adapter
        return refuses is not None and any(refuses(adapter.path) for adapter in self.adapters)


def find(
    config: RunConfig, typed: str, listener: Listener, materials: Materials, loaded: LoadedModel | None = None
) -> ModelSetup:
    """Find the tasks, the model, its tokenizer and its adapters. `loaded`: a model that is in memory already."""
    if loaded is not None and config.adapter:
        raise UsageError("--adapter goes with a model that evalkit loads: give the model's folder, not the model")
    kind = choose(config.engine, fleet=config.fleet) if loaded is None else loaded.kind
    if loaded is None:
        check_device(kind, config.device)
    if config.no_base and not config.adapter:
        raise UsageError("--no-base without --adapter leaves nothing to run")
    listener.stage(f"finding {', '.join(config.tasks)}")
    suite = materials.suite(lambda: _sized_suite(config, listener))
    folder, typed = typed, config.known_as.get(typed, typed)
    listener.stage(f"reading {typed}")
    if loaded is None:
        model = kind.find_model(folder, config.model_args, config.trust_remote_code)
        if folder != typed:
            model = model.opened_from(replace(model.spec, typed=typed))
        tokenizer = kind.load_tokenizer(model)
    else:
        model, tokenizer = loaded.model, loaded.tokenizer
    if config.self_debias:
        check_ability(kind, "self_debias", "--self-debias")
        if not any(task.output_type == "generate_until" for task in suite.tasks.values()):
            raise UsageError(
                f"--self-debias changes what is generated, and {', '.join(config.tasks)} generates nothing"
            )
    adapters = find_adapters(config.adapter, model.spec.source)
    chat = tokenizer.chat(config.apply_chat_template) if config.apply_chat_template else None
    _warn(config, typed, model, chat, listener)
    _warn_of_greed(suite, listener)
    thinking = find_thinking(config, model, tokenizer, chat)
    if thinking is not None and loaded is None:
        model = told(model, thinking)
        listener.note(f"{typed} thinks before it answers: stop strings count after {thinking.end} only")
    engine = None if loaded is None else loaded.engine
    return ModelSetup(typed, kind, suite, model, tokenizer, adapters, chat, thinking, engine)


def _sized_suite(config: RunConfig, listener: Listener) -> Suite:
    """The tasks, with as few documents as the run's purpose needs, where it has one."""
    suite = load_suite(config, listener)
    size(config, suite, listener)
    return suite


def load_suite(config: RunConfig, listener: Listener) -> Suite:
    """Load the tasks and groups of --tasks."""
    registry = Registry(
        config.include_path,
        allow_task_code=config.allow_task_code,
        data_dir=config.data_dir,
        file_options=FileOptions(config.input, config.target, config.score),
    )
    suite = registry.load(
        config.tasks,
        num_fewshot=config.num_fewshot,
        gen_kwargs=config.generation or None,
        seeds=config.seed,
        repeats=config.repeats,
    )
    for note in suite.notes:
        listener.note(note)
    return suite


def _warn(config: RunConfig, typed: str, model: EngineModel, chat: ChatTemplate | None, listener: Listener) -> None:
    kind = model.spec.kind
    if kind in ("instruct", "chat") and chat is None:
        what = "an instruct" if kind == "instruct" else "a chat"
        listener.note(f"{typed} is {what} model, run without its chat template; --apply-chat-template uses it")
    if kind == "base" and chat is not None:
        listener.note(f"{typed} is a base model, run with a chat template ({chat.description['source']})")
    if config.limit is not None:
        share = f"{config.limit:.4g} of the" if config.limit < 1 else f"the first {config.limit:.0f}"
        listener.note(f"LIMITED to {share} documents of each task: for a look, not for a leaderboard")


def _warn_of_greed(suite: Suite, listener: Listener) -> None:
    """Several answers to one prompt that are all the same say nothing more than one."""
    greedy = [name for name, task in suite.tasks.items() if task.repeats > 1 and _is_greedy(task)]
    if greedy:
        listener.note(
            f"{', '.join(greedy[:3])}: several answers per document are asked for and all will be alike; sample with"
            " --gen-kwargs do_sample=true,temperature=0.7"
        )


def _is_greedy(task: Task) -> bool:
    settings = task.generation or {}
    return task.output_type == "generate_until" and (
        settings.get("do_sample") is False or not settings.get("temperature")
    )
