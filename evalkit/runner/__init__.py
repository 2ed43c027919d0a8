"""Drives the corridor from the registry to the results: the only place that knows the order of things."""

from __future__ import annotations

import re
from collections import deque
from contextlib import ExitStack

from evalkit import results
from evalkit.config import RunConfig
from evalkit.errors import AdaptersRefused, Interrupted, UsageError
from evalkit.gating import Trial
from evalkit.journal import Journal
from evalkit.runner.against import Against, trials
from evalkit.runner.answering import answer
from evalkit.runner.clock import Clock
from evalkit.runner.listener import Listener
from evalkit.runner.merging import passes
from evalkit.runner.outcome import Outcome, Reporter, write
from evalkit.runner.preparing import Prepared, Variant, prepare
from evalkit.runner.rounds import EXIT_OF, Rounds

__all__ = ["Against", "Listener", "Outcome", "run"]

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")
"""Read by a person only to see that two are not the same."""


def run(config: RunConfig, listener: Listener, report: Reporter, against: Against | None = None) -> list[Outcome]:
    """Every model asked for, one after the other; its adapters in one pass with it.

    `against`: each is judged while it runs, and stops where it is sure.
    """
    results.check_writable(config.output_path)
    run_id = results.check_name(config.name) if config.name is not None else results.new_run_id()
    outcomes: list[Outcome] = []
    for typed in config.model:
        own_id = run_id if len(config.model) == 1 else results.member_id(run_id, typed)
        outcomes += _one(config, typed, own_id, listener, report, against)
        if outcomes[-1].exit_code == Interrupted.exit_code:
            break
    return outcomes


def _one(
    config: RunConfig, typed: str, run_id: str, listener: Listener, report: Reporter, against: Against | None
) -> list[Outcome]:
    clock = Clock()
    settings = {} if against is None else {"against": against.settings(config.seed.random)}
    with clock("build"):
        prepared = prepare(config, typed, run_id, listener, settings)
    finished = [_finished(config, variant, listener) for variant in prepared.variants]
    if all(finished):
        return [outcome for outcome in finished if outcome is not None]
    watched = None if against is None else _watched(config, prepared, against, listener)
    outcomes = []
    with ExitStack() as stack:
        parts = deque(passes(prepared, stack, listener))
        while parts:
            part = parts.popleft()
            rounds = None
            if against is not None and watched is not None:
                own = [watched[variant.run_id] for variant in part.variants]
                rounds = Rounds(own, against.policy.confidence, listener)
            try:
                outcomes += _pass(config, part, listener, clock, report, rounds)
            except AdaptersRefused as refused:
                # Found only by starting the engine; what is merged is not refused again.
                parts.extendleft(reversed(passes(part, stack, listener, refused.why)))
                continue
            if outcomes[-1].exit_code == Interrupted.exit_code:
                break
    return outcomes


def _watched(config: RunConfig, prepared: Prepared, against: Against, listener: Listener) -> dict[str, list[Trial]]:
    """The targets of each variant, by its run-id. What can't be held against the baseline is found here."""
    found: dict[str, list[Trial]] = {}
    for variant in prepared.variants:
        found[variant.run_id], notes = trials(against, config, prepared.suite, prepared.documents, variant.manifest)
        for note in notes if len(found) == 1 else ():
            listener.note(note)
    return found


def _pass(
    config: RunConfig,
    prepared: Prepared,
    listener: Listener,
    clock: Clock,
    report: Reporter,
    rounds: Rounds | None,
) -> list[Outcome]:
    """What one engine answers: the base and the adapters that it takes."""
    with _journal(config, prepared) as journal:
        answered = answer(prepared, config, journal, listener, clock, rounds)
        listener.finish()
        outcomes = [
            write(
                variant,
                prepared.suite,
                answered,
                config.output_path,
                config.limit is not None,
                clock,
                report,
                number=number,
                alone=len(prepared.variants) == 1,
                rounds=rounds,
            )
            for number, variant in enumerate(prepared.variants)
        ]
        journal.run_written()
        for notice in journal.notices:
            listener.note(notice)
    return outcomes


def _journal(config: RunConfig, prepared: Prepared) -> Journal:
    folders = [f"{variant.slug}/{variant.run_id}" for variant in prepared.variants]
    journal = Journal.open(config.output_path, run=folders)
    for variant in prepared.variants:
        name = prepared.model.spec.typed + (f"+{variant.adapter.name}" if variant.adapter else "")
        journal.name_model(prepared.model.key(variant.adapter), name)
    return journal


def _finished(config: RunConfig, variant: Variant, listener: Listener) -> Outcome | None:
    """The same name: the same settings and complete is done, other settings are refused."""
    path = results.run_path(config.output_path, variant.slug, variant.run_id)
    if config.name is None or not path.exists():
        return None
    there = results.Run.open(path)
    differences = results.same_settings(there.manifest, variant.manifest)
    if differences:
        shown = _HASH.sub(r"\1…", "; ".join(differences[:3]))
        raise UsageError(
            f"--name {variant.run_id}: a run of that name was made with other settings"
            f" ({shown}); choose another name, or delete {path}"
        )
    judged = there.results.get("early_stopping") or {}
    if there.status not in ("complete", "limited") and not (there.not_run and judged.get("verdict")):
        return None
    listener.note(f"{variant.run_id} is complete: nothing to do")
    return Outcome(there.path, there.results, EXIT_OF.get(judged.get("verdict") or "pass", 0))
