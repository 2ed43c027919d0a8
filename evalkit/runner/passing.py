"""Runs what was prepared for one model: usually in one pass, in several if the engine cannot serve an adapter."""

from __future__ import annotations

import re
from collections import deque
from contextlib import ExitStack

from evalkit import results
from evalkit.config import RunConfig
from evalkit.errors import VERDICT_EXIT_CODES, AdaptersRefused, Interrupted, UsageError
from evalkit.gating import Trial
from evalkit.journal import Journal
from evalkit.results import Reporter
from evalkit.runner.answering import answer
from evalkit.runner.clock import Clock
from evalkit.runner.early_gate import EarlyGate, trials
from evalkit.runner.listener import Listener
from evalkit.runner.merging import passes
from evalkit.runner.preparing import Prepared, Variant
from evalkit.runner.rounds import Rounds
from evalkit.runner.writing import Outcome, write

__all__ = ["finished", "interrupted", "run_prepared"]

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")
"""Hashes in messages are shortened: a few characters show that two differ."""


def run_prepared(
    config: RunConfig,
    prepared: Prepared,
    listener: Listener,
    report: Reporter,
    clock: Clock,
    early: EarlyGate | None = None,
) -> list[Outcome]:
    """Run the base and its adapters."""
    done = [finished(config, variant, listener) for variant in prepared.variants]
    if all(done):
        return [outcome for outcome in done if outcome is not None]
    of_variant = {} if early is None else _trials(config, prepared, early, listener)
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        parts = deque(passes(prepared, stack, listener))
        while parts:
            part = parts.popleft()
            rounds = None
            if early is not None:
                trials_of_part = [of_variant[variant.run_id] for variant in part.variants]
                rounds = Rounds(trials_of_part, early.policy.confidence, listener)
            try:
                outcomes += _run_pass(config, part, listener, clock, report, rounds)
            except AdaptersRefused as refused:
                # Some refusals show only when the engine starts. A merged adapter is not refused again.
                parts.extendleft(reversed(passes(part, stack, listener, refused.why)))
                continue
            if interrupted(outcomes):
                break
    return outcomes


def _run_pass(
    config: RunConfig, prepared: Prepared, listener: Listener, clock: Clock, report: Reporter, rounds: Rounds | None
) -> list[Outcome]:
    """Run everything that one engine answers, and write a run folder for each of its variants."""
    with _open_journal(config, prepared) as journal:
        result = answer(prepared, config, journal, listener, clock, rounds)
        listener.finish()
        outcomes = [
            write(config, variant, prepared.suite, result, clock, report, number)
            for number, variant in enumerate(prepared.variants)
        ]
        if all(outcome.run is not None for outcome in outcomes):
            journal.run_written()
        for notice in journal.notices:
            listener.note(notice)
    return outcomes


def _trials(config: RunConfig, prepared: Prepared, early: EarlyGate, listener: Listener) -> dict[str, list[Trial]]:
    """The trials of each variant, by its run-id. Raises if it can't be compared with the baseline."""
    of_variant: dict[str, list[Trial]] = {}
    for variant in prepared.variants:
        of_variant[variant.run_id], notes = trials(early, config, prepared.suite, prepared.documents, variant.manifest)
        for note in notes if len(of_variant) == 1 else ():
            listener.note(note)
    return of_variant


def _open_journal(config: RunConfig, prepared: Prepared) -> Journal:
    folders = [f"{variant.slug}/{variant.run_id}" for variant in prepared.variants]
    journal = Journal.open(config.output_path, run=folders, folder=config.journal)
    for variant in prepared.variants:
        name = prepared.model.spec.typed + (f"+{variant.adapter.name}" if variant.adapter else "")
        journal.name_model(prepared.model.key(variant.adapter), name)
    return journal


def finished(config: RunConfig, variant: Variant, listener: Listener) -> Outcome | None:
    """The existing run of this --name, if it is complete. Raises if it was made with other settings."""
    path = results.run_path(config.output_path, variant.slug, variant.run_id)
    if config.name is None or not path.exists():
        return None
    existing = results.Run.open(path)
    differences = results.same_settings(existing.record.manifest, variant.manifest)
    if differences:
        shown = _HASH.sub(r"\1…", "; ".join(differences[:3]))
        raise UsageError(
            f"--name {variant.run_id}: a run of that name was made with other settings"
            f" ({shown}); choose another name, or delete {path}"
        )
    early = existing.record.results.early_stopping
    verdict = early.verdict if early else None
    whole_share = config.shard is not None and existing.status == "partial"
    if existing.status not in ("complete", "limited") and not whole_share and not (existing.not_run and verdict):
        return None
    listener.note(f"{variant.run_id} is complete: nothing to do")
    return Outcome(existing, VERDICT_EXIT_CODES.get(verdict or "pass", 0))


def interrupted(outcomes: list[Outcome]) -> bool:
    """Whether the last run was interrupted."""
    return outcomes[-1].exit_code == Interrupted.exit_code
