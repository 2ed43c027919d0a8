"""Stage 1, second half: build documents with prompts, and draw up the manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.base import Engine, EngineModel, EngineTokenizer
from evalkit.engines.spec import EngineSpec
from evalkit.errors import RunFolderError, UsageError
from evalkit.registry import Document, Suite, Task
from evalkit.runner.budget import Budget
from evalkit.runner.finding import ModelSetup, load_suite
from evalkit.runner.listener import Listener
from evalkit.runner.manifest import draw_up
from evalkit.runner.materials import Materials
from evalkit.tokens import ChatTemplate, Tokenizer
from evalkit.types import Adapter

__all__ = ["Prepared", "Variant", "build_documents", "prepare"]


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
    materials: Materials = field(default_factory=Materials)
    """What other models of the same sweep share with this one."""

    @property
    def adapters(self) -> list[Adapter]:
        """The adapters that the engine has to load."""
        return [variant.adapter for variant in self.variants if variant.adapter is not None and not variant.merged]


def prepare(
    config: RunConfig,
    setup: ModelSetup,
    run_id: str,
    listener: Listener,
    materials: Materials,
    against: results.AgainstInfo | None = None,
) -> Prepared:
    """Build the prompts, and draw up the manifest of each variant.

    `against`: the manifest's entry on the baseline that the run is judged against while it runs.
    """
    model, tokenizer, thinking = setup.model, setup.tokenizer, setup.thinking
    listener.stage("building prompts")
    suite, documents = materials.documents(
        setup.chat, lambda: load_suite(config, listener), lambda suite: build_documents(config, suite, setup.chat)
    )
    variants = []
    for adapter in [*([] if config.no_base else [None]), *setup.adapters]:
        variant_run_id = run_id if adapter is None else results.member_id(run_id, adapter.name)
        manifest = draw_up(config, suite, documents, model, adapter, setup.chat, setup.kind.name)
        if against is not None:
            manifest = manifest.model_copy(update={"against": against})
        if thinking is not None:
            told_so = results.ThinkingInfo(
                start=thinking.start, end=thinking.end, opened=thinking.opened, budget=config.think_budget
            )
            manifest = manifest.model_copy(update={"thinking": told_so})
        slug = results.model_slug(setup.typed, adapter.name if adapter else None)
        variants.append(Variant(adapter, slug, variant_run_id, manifest))
    budget = None if thinking is None or config.think_budget is None else Budget(thinking, config.think_budget)
    if budget is not None and not isinstance(tokenizer, Tokenizer):
        raise UsageError(
            "--think-budget: the thought is closed in the prompt, for which a server's model needs its tokenizer"
            " (--model-args tokenizer=HUB_ID_OR_PATH)"
        )
    return Prepared(
        setup.kind,
        suite,
        model,
        tokenizer,
        documents,
        _resume(config, variants),
        engine=setup.engine,
        budget=budget,
        materials=materials,
    )


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
