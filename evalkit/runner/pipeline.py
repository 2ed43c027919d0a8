"""The stages of a run in their order: find, prepare, plan, answer, grade, write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from evalkit import results
from evalkit.config import RunConfig
from evalkit.engines.base import Engine
from evalkit.engines.spec import EngineSettings
from evalkit.errors import UsageError
from evalkit.results import Reporter
from evalkit.runner.clock import Clock
from evalkit.runner.early_gate import EarlyGate
from evalkit.runner.engines import settings_of
from evalkit.runner.finding import LoadedModel, ModelSetup, find
from evalkit.runner.listener import Listener
from evalkit.runner.materials import Materials
from evalkit.runner.passing import finished, interrupted, run_prepared
from evalkit.runner.preparing import prepare
from evalkit.runner.reading import marks_spans, prepare_reader, read
from evalkit.runner.sweep import Sweep, can_sweep
from evalkit.runner.writing import Outcome
from evalkit.types import Adapter, ModelSpec

__all__ = ["run"]


def run(
    config: RunConfig,
    listener: Listener,
    report: Reporter,
    early: EarlyGate | None = None,
    loaded: LoadedModel | None = None,
) -> list[Outcome]:
    """Run every model of the config; a model's adapters run in the same pass.

    Several models run one after the other, or side by side where they have replicas. Progress goes to `listener`, the
    outcomes are returned, and errors are raised; nothing is printed and the process does not exit. Signals are handled
    while answers are awaited, and only in the main thread. `early`: judge each run while it runs, and stop once the
    verdict is sure. `loaded`: the model is in memory already, and the config holds only its name.
    """
    results.check_writable(config.output_path)
    run_id = results.check_name(config.name) if config.name is not None else results.new_run_id()
    if can_sweep(config) and not any(map(marks_spans, config.model)):
        return Sweep(config, run_id, listener, report, early).run()
    outcomes: list[Outcome] = []
    materials = Materials()
    for typed in config.model:
        model_run_id = run_id if len(config.model) == 1 else results.member_id(run_id, typed)
        outcomes += _run_model(config, typed, model_run_id, listener, report, early, loaded, materials)
        if interrupted(outcomes):
            break
    return outcomes


def _run_model(
    config: RunConfig,
    typed: str,
    run_id: str,
    listener: Listener,
    report: Reporter,
    early: EarlyGate | None,
    loaded: LoadedModel | None,
    materials: Materials,
) -> list[Outcome]:
    clock = Clock()
    if loaded is None and marks_spans(typed):
        if early is not None:
            raise UsageError(f"--against: {typed} is a reading model, whose run does not stop early: drop --against")
        prepared_reader = prepare_reader(config, typed, run_id, listener)
        done = finished(config, prepared_reader.variant, listener)
        return [done or read(prepared_reader, config, listener, report, clock)]
    against = None if early is None else early.settings(config.seed.random)
    with ExitStack() as stack:
        with clock("build"):
            setup = find(config, typed, listener, materials, loaded)
            setup = _begin(config, setup, run_id, stack, listener)
            prepared = prepare(config, setup, run_id, listener, materials, against)
        return run_prepared(config, prepared, listener, report, clock, early)


def _begin(config: RunConfig, setup: ModelSetup, run_id: str, stack: ExitStack, listener: Listener) -> ModelSetup:
    """The same, loading already where the engine loads in other processes: prompts are built meanwhile."""
    kind, model, adapters = setup.kind, setup.model.spec, tuple(setup.adapters)
    if kind.begin is None or setup.engine is not None or setup.refused_adapters or _is_complete(config, setup, run_id):
        return setup
    listener.stage(f"starting the replicas of {setup.typed} ({kind.name})")
    loading = kind.begin(model, adapters, settings_of(config))
    stack.callback(loading.close)

    def start(model_: ModelSpec, tokenizer: Any, adapters_: Sequence[Adapter], settings: EngineSettings) -> Engine:
        if (model_, tuple(adapters_)) == (model, adapters):
            return loading.wait()
        loading.close()
        return kind.start(model_, tokenizer, adapters_, settings)

    return replace(setup, kind=replace(kind, start=start))


def _is_complete(config: RunConfig, setup: ModelSetup, run_id: str) -> bool:
    """Whether there is a whole run of this --name, so that probably nothing is left to ask."""
    path = results.run_path(config.output_path, results.model_slug(setup.typed, None), run_id)
    return config.name is not None and path.exists() and results.Run.open(path).status != "incomplete"
