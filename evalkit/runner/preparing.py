"""Stage 1, prepare: build documents with prompts from the flags. Most errors show here, before a model loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.spec import EngineSpec, check_ability, check_device, choose
from evalkit.errors import RunFolderError, UsageError
from evalkit.models.found import find_adapters
from evalkit.registry import Document, Registry, Suite, Task
from evalkit.registry.kinds import FileOptions
from evalkit.runner.budget import Budget
from evalkit.runner.listener import Listener
from evalkit.runner.manifest import draw_up
from evalkit.runner.thinking import find_thinking, told
from evalkit.tokens import ChatTemplate, Tokenizer
from evalkit.types import Adapter

__all__ = ["LoadedModel", "Prepared", "Variant", "load_suite", "prepare"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is in memory already. The caller that loaded it closes its engine."""

    kind: EngineSpec
    model: EngineModel
    tokenizer: EngineTokenizer
    engine: Engine


@dataclass(frozen=True, slots=True)
class Variant:
    """The base or one adapter; each gets its own run folder."""

    adapter: Adapter | None
    slug: str
    run_id: str
    manifest: results.Manifest
    merged: bool = False
    """The adapter is merged into the model that the engine loads."""

    @property
    def asked_of(self) -> str | None:
        """The adapter that the engine is asked to use."""
        return None if self.adapter is None or self.merged else self.adapter.name


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pass: everything that one engine is asked."""

    kind: EngineSpec
    suite: Suite
    model: EngineModel
    tokenizer: EngineTokenizer
    documents: Mapping[str, tuple[Task, Sequence[Document]]]
    variants: Sequence[Variant]
    engine: Engine | None = None
    """The engine of a model that is in memory already; None if it is started when a request needs it."""
    budget: Budget | None = None
    """How long a thought may be; None without --think-budget."""

    @property
    def adapters(self) -> list[Adapter]:
        """The adapters that the engine has to load."""
        return [variant.adapter for variant in self.variants if variant.adapter is not None and not variant.merged]


def prepare(
    config: RunConfig,
    typed: str,
    run_id: str,
    listener: Listener,
    against: results.AgainstInfo | None = None,
    loaded: LoadedModel | None = None,
) -> Prepared:
    """Find the tasks and the model, and build the prompts.

    `against`: the manifest's entry on the baseline that the run is judged against while it runs.
    `loaded`: a model that is in memory already.
    """
    if loaded is not None and config.adapter:
        raise UsageError("--adapter goes with a model that evalkit loads: give the model's folder, not the model")
    kind = choose(config.engine, config.model_args, fleet=config.fleet) if loaded is None else loaded.kind
    if loaded is None:
        check_device(kind, config.device)
    if config.no_base and not config.adapter:
        raise UsageError("--no-base without --adapter leaves nothing to run")
    listener.stage(f"finding {', '.join(config.tasks)}")
    suite = load_suite(config, listener)
    listener.stage(f"reading {typed}")
    if loaded is None:
        model = kind.find_model(typed, config.model_args, config.trust_remote_code)
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
    listener.stage("building prompts")
    documents = build_documents(config, suite, chat)
    variants = []
    for adapter in [*([] if config.no_base else [None]), *adapters]:
        variant_run_id = run_id if adapter is None else results.member_id(run_id, adapter.name)
        manifest = draw_up(config, suite, documents, model, adapter, chat, kind.name)
        if against is not None:
            manifest = manifest.model_copy(update={"against": against})
        if thinking is not None:
            told_so = results.ThinkingInfo(
                start=thinking.start, end=thinking.end, opened=thinking.opened, budget=config.think_budget
            )
            manifest = manifest.model_copy(update={"thinking": told_so})
        variants.append(
            Variant(adapter, results.model_slug(typed, adapter.name if adapter else None), variant_run_id, manifest)
        )
    engine = None if loaded is None else loaded.engine
    budget = None if thinking is None or config.think_budget is None else Budget(thinking, config.think_budget)
    if budget is not None and not isinstance(tokenizer, Tokenizer):
        raise UsageError(
            "--think-budget: the thought is closed in the prompt, for which a server's model needs its tokenizer"
            " (--model-args tokenizer=HUB_ID_OR_PATH)"
        )
    return Prepared(kind, suite, model, tokenizer, documents, _resume(config, variants), engine, budget)


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


def build_documents(
    config: RunConfig, suite: Suite, chat: ChatTemplate | None
) -> dict[str, tuple[Task, Sequence[Document]]]:
    """Build the documents of every task, with their prompts."""
    built: dict[str, tuple[Task, Sequence[Document]]] = {}
    for name, task in suite.tasks.items():
        documents = task.build(
            config.limit,
            chat_template=chat,
            system_instruction=config.system_instruction,
            fewshot_as_multiturn=config.fewshot_as_multiturn,
        )
        if not documents:
            raise UsageError(f"{name} has no documents: check its data set and its split (evalkit tasks show {name})")
        built[name] = (task, documents)
    return built


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


def _resume(config: RunConfig, variants: list[Variant]) -> list[Variant]:
    """Without --name, continue an interrupted run of the same settings under its run-id."""
    if config.name is not None:
        return variants
    first = variants[0]
    for folder in sorted((config.output_path / first.slug).glob("*"), reverse=True):
        try:
            existing = results.Run.open(folder)
        except RunFolderError:
            continue
        if existing.status == "incomplete" and not results.same_settings(existing.record.manifest, first.manifest):
            old_id = existing.run_id
            return [replace(v, run_id=old_id + v.run_id.removeprefix(first.run_id)) for v in variants]
    return variants
