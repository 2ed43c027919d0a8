"""evalkit judge run: judges a run by a rubric, and writes judgments, figures and score lines to the run's folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from evalkit.errors import EvalkitError, Interrupted, JudgeError
from evalkit.journal import Journal
from evalkit.judging.backends.spec import JudgeOptions, NamedJudge, open_judge
from evalkit.judging.certificate import find_certificates
from evalkit.judging.items import Item, items_of, pair_up
from evalkit.judging.rubric import Rubric
from evalkit.judging.run import Judged, cautions, judge_all, write_judged
from evalkit.results import Reporter, Run, check_writable
from evalkit.runner.listener import Listener
from evalkit.runner.reference import pair_with_file
from evalkit.runner.stop import Stop
from evalkit.runner.writing import Outcome
from evalkit.types import Arguments

__all__ = ["JudgeRequest", "judge_outcomes", "judge_run", "prepare_items"]


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """What to judge, by which rubric and judges, and where the results go."""

    rubric: Rubric
    judges: Sequence[NamedJudge]
    output_path: Path
    arguments: Arguments = field(default_factory=dict)
    tasks: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    against: Run | None = None
    reference: Path | None = None
    """A file of another model's answers to the same instructions."""
    ask: bool = True
    """False: use only answers in the journal; no judge is asked."""
    limit: int | None = None
    report: Reporter | None = None
    """Writes report.md again, with the judged figures."""
    journal: Path | None = None
    """The journal's folder, if it is not under `output_path`."""


def prepare_items(run: Run, request: JudgeRequest) -> list[Item]:
    """The items to judge: a run's answers, each beside the other answer if the rubric compares pairs."""
    items = items_of(run, request.rubric, request.tasks, request.fields)
    if request.rubric.kind == "pairwise":
        items = _paired(run, request, items)
    return items if request.limit is None else items[: request.limit]


def _paired(run: Run, request: JudgeRequest, items: list[Item]) -> list[Item]:
    if request.reference is not None:
        return pair_with_file(run, items, request.reference)
    others = None
    if request.against is not None:
        others = items_of(request.against, request.rubric, request.tasks, request.fields)
    return pair_up(items, others)


def judge_run(run: Run, request: JudgeRequest, listener: Listener) -> tuple[Run, Judged]:
    """Judge a run with each judge in turn, and write the results. Returns the updated run and the judgments."""
    check_writable(request.output_path)
    items = prepare_items(run, request)
    judged = Judged(request.rubric, [])
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(request.output_path, folder=request.journal))
        stop = stack.enter_context(Stop(rescue=journal.flush, announce=lambda: listener.stopping(0)))
        listener.start({spec.typed: len(items) * len(request.rubric.dimensions) for spec in request.judges})
        for spec in request.judges:
            listener.stage(f"opening {spec.typed}")
            _ask_judge(spec, journal, request, items, judged, stop, listener)
        stop.raise_if_requested()
    listener.finish()
    judged.warnings = cautions(items, judged.judges)
    if not any(j.score is not None for judgments in judged.by_judge for j in judgments) and not request.ask:
        raise JudgeError(
            f"the journal under {request.journal or request.output_path} holds no answer of"
            f" {request.judges[0].typed} to rubric {request.rubric.id}: evalkit judge run asks it"
        )
    calibration = partial(find_certificates, request.output_path, request.rubric.hash)
    return write_judged(run, judged, calibration, request.report), judged


def judge_outcomes(outcomes: Sequence[Outcome], request: JudgeRequest, listener: Listener) -> list[Outcome]:
    """`evalkit run --judge`: judge the runs that finished. If a judge fails, the run keeps its other figures."""
    judged: list[Outcome] = []
    for outcome in outcomes:
        stopped = judged and judged[-1].exit_code == Interrupted.exit_code
        if outcome.exit_code or stopped:
            judged.append(outcome)
            continue
        code, problem = 0, None
        try:
            _, judgments = judge_run(Run.open(outcome.path), request, listener)
            for warning in judgments.warnings:
                listener.note(warning)
            judgments.check()
        except EvalkitError as error:
            code, problem = error.exit_code, str(error)
        judged.append(Outcome(Run.open(outcome.path), code, problem))
    return judged


def _ask_judge(
    named: NamedJudge,
    journal: Journal,
    request: JudgeRequest,
    items: Sequence[Item],
    judged: Judged,
    stop: Stop,
    listener: Listener,
) -> None:
    spent = math.fsum(described.get("usd") or 0.0 for described in judged.described)
    options = JudgeOptions(request.arguments, request.ask, lambda: stop.requested, listener.note)

    def advance(done: int, total: int) -> None:
        if not stop.requested:
            listener.advance(named.typed)

    with open_judge(named, journal, options, spent=spent) as judge:
        judgments = judge_all(request.rubric, items, judge, advance)
        stop.raise_if_requested()
        judged.judges.append(judge.judge)
        judged.by_judge.append(judgments)
        judged.asked += judge.asked
        judged.reused += judge.reused
        judged.described.append(judge.description)
