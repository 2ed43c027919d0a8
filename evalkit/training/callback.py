"""A callback for transformers' Trainer and TRL: evaluates the model that is being trained, between two steps."""

from __future__ import annotations

import secrets
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import CouldNotDo, UsageError
from evalkit.training.budget import TooLittle, parse_seconds
from evalkit.training.budgeting import Budget
from evalkit.training.handover import HandOver, Result
from evalkit.training.ranks import all_ranks_hear, plain_log, refuse_sharded, several_ranks
from evalkit.training.spending import confidence_of_look
from evalkit.training.watching import Watch, scalars

__all__ = ["EvalkitCallback"]


class EvalkitCallback:
    """Evaluates on each save, or every `steps` steps, the model as it is in memory: no copy, no checkpoint is read.

        callback = EvalkitCallback(tasks=["gsm8k"], limit=100)
        callback.add_to(trainer)          # figures go into the trainer's log: eval/gsm8k/exact_match

    `trainer = Trainer(…, callbacks=[callback])` works too; figures then stand in `trainer.state.log_history` alone.
    Whatever else `evalkit.evaluate` takes may be given as keyword arguments. Training goes on as if nothing had
    happened: the mode of each module and the random state are as before.

    `watch="results"` evaluates nothing here: each checkpoint is handed to the `evalkit watch OUTPUT_DIR` of another
    process that writes to that folder, and its figures come into this trainer's log at a later step.
    """

    def __init__(
        self,
        tasks: str | Sequence[str] = (),
        *,
        watch: str | Path | None = None,
        wait: float = 0.0,
        budget: str | None = None,
        steps: int | None = None,
        name: str = "training",
        baseline: Any = None,
        policy: Any = None,
        stop_on: Literal["regression"] | None = None,
        **settings: Any,
    ) -> None:
        """`stop_on="regression"`: end the training once the gate is sure of one against `baseline`.

        `watch`: the --output-path of the watch that evaluates the checkpoints, and gates them where it has a baseline.
        `budget`: pick tasks and documents that show most in this time for each look: "90s", "5m".
        `wait`: for so many seconds the end of the training waits for the figures of the last checkpoints.
        """
        if stop_on not in (None, "regression"):
            raise UsageError(f"stop_on={stop_on!r}: 'regression' or None is wanted")
        if watch is not None and (tasks or settings or steps is not None or baseline is not None or policy is not None):
            raise UsageError("watch=… hands checkpoints over: tasks, baseline and the rest are evalkit watch's flags")
        if watch is None and not tasks:
            raise UsageError("tasks is missing: which tasks is the model evaluated on?")
        if budget is not None and (watch is not None or "limit" in settings):
            raise UsageError("budget picks how many documents are asked: it goes with neither limit nor watch")
        if wait and watch is None:
            raise UsageError("wait goes with watch=…: without it nothing is waited for")
        if watch is None and baseline is None and (stop_on or policy is not None):
            raise UsageError("stop_on and policy need baseline=RUN: against what is the model a regression?")
        if steps is not None and steps < 1:
            raise UsageError(f"steps={steps}: must be 1 or more")
        self.tasks = [tasks] if isinstance(tasks, str) else list(tasks)
        self.watch = None if watch is None else Path(watch)
        self.wait = wait
        self.budget = None if budget is None else parse_seconds(budget, typed="budget")
        self.steps = steps
        self.name = name
        self.baseline = baseline
        self.policy = policy
        self.stop_on = stop_on
        self.settings = settings
        self.runs: list[Any] = []
        self.results: list[Result] = []
        """What a watch in another process found."""
        self.verdicts: list[str] = []
        self.seconds: list[float] = []
        """What each evaluation took."""
        self.problems: list[str] = []
        """Looks that could not be done, on a full disk for one: training went on without them."""
        self._trainer: Any = None
        self._hand_over: HandOver | None = None
        self._budget: Budget | None = None
        self._fits = True
        """Whether anything fits the budget; if not, there are no looks."""

    def add_to(self, trainer: Any) -> None:
        """Add this callback to a trainer, whose log then gets the figures, and with it W&B, MLflow and others."""
        self._trainer = trainer
        trainer.add_callback(self)

    # ── what the trainer calls ───────────────────────────────────────────────

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if self.watch is not None:
            if state.is_world_process_zero:
                watched = Watch(Path(args.output_dir), self.watch)
                self._hand_over = HandOver(watched.folder, watched.saved, watched.log)
            return control
        from evalkit.registry import Registry

        Registry(_paths(self.settings.get("include_path", ()))).refuse_unknown(self.tasks)
        return control

    def on_save(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if self._hand_over is not None:
            self._hand(self._hand_over, state.global_step, Path(args.output_dir) / f"checkpoint-{state.global_step}")
        due = self.steps is None and self.watch is None
        return self._look(state, control, given) if due else control

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if self.watch is not None:
            return self._hear(state, control)
        due = self.steps is not None and state.global_step % self.steps == 0
        return self._look(state, control, given) if due else control

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        if self._hand_over is not None:
            end = time.monotonic() + self.wait
            self._take_results(self._hand_over, state, control)
            while (waiting := self._hand_over.waiting) and time.monotonic() < end:
                time.sleep(min(0.2, self.wait))
                self._take_results(self._hand_over, state, control)
            if self.wait and waiting:
                self._warn(f"the watch said nothing of {', '.join(waiting)} within {self.wait:g} s")
        return control

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A trainer calls every event that it knows; the others mean nothing here."""
        if name.startswith("on_"):
            return lambda args, state, control, **given: control
        raise AttributeError(name)

    # ── a watch in another process ───────────────────────────────────────────

    def _hand(self, hand_over: HandOver, step: int, checkpoint: Path) -> None:
        try:
            hand_over.saved(step, checkpoint)
        except OSError as error:
            self._warn(f"step {step}: the watch could not be told ({error.strerror or error}); training goes on")

    def _hear(self, state: Any, control: Any) -> Any:
        """Log what the watch found since the last step, and stop where it is sure of a regression."""
        if self._hand_over is not None:
            self._take_results(self._hand_over, state, control)
        # Ranks ask each other at the same steps: those at which each of them logs or saves.
        if self.stop_on is not None and (not several_ranks() or control.should_log or control.should_save):
            control.should_training_stop |= all_ranks_hear("regression" in self.verdicts)
        return control

    def _take_results(self, hand_over: HandOver, state: Any, control: Any) -> None:
        asked_to_log = control.should_log
        for result in hand_over.results():
            self.results.append(result)
            if result.verdict is not None:
                self.verdicts.append(result.verdict)
            if result.problem is not None:
                self._warn(f"{result.checkpoint} could not be evaluated: {result.problem}")
            else:
                figures = {f"eval/{name}": value for name, value in result.scalars.items()}
                self._log(state, {**figures, "eval/step": result.step})
        control.should_log = asked_to_log

    def _warn(self, problem: str) -> None:
        self.problems.append(problem)
        warnings.warn(f"evalkit: {problem}", stacklevel=3)

    # ── a look at the model ──────────────────────────────────────────────────

    def _look(self, state: Any, control: Any, given: Mapping[str, Any]) -> Any:
        stop = False
        # Other ranks do not know whether anything fits: all of them ask each other at each look.
        if state.is_world_process_zero and self._fits:
            refuse_sharded(given["model"])
            asked_to_log = control.should_log
            stop = self._evaluate(state, given)
            control.should_log = asked_to_log  # our own line in the log must not cost the trainer its own
        if self.stop_on is not None and all_ranks_hear(stop):
            control.should_training_stop = True
        return control

    def _evaluate(self, state: Any, given: Mapping[str, Any]) -> bool:
        """Evaluate the model, log its figures and say whether training is to stop."""
        began = time.monotonic()
        try:
            run = self._run(f"{self.name}-step-{state.global_step}", given)
        except CouldNotDo as error:
            self._warn(f"step {state.global_step}: {error}; training goes on")
            return False
        except TooLittle as error:
            self._fits = False
            self._warn(f"{error}; training goes on without evaluations")
            return False
        self.seconds.append(time.monotonic() - began)
        self.runs.append(run)
        self._log(state, {f"eval/{name}": value for name, value in scalars(run.stored).items()})
        return self.baseline is not None and self._verdict(run) == "regression" and self.stop_on is not None

    def _run(self, name: str, given: Mapping[str, Any]) -> Any:
        import evalkit as ek

        def evaluated(name: str | None, **more: Any) -> Any:
            # A model in memory is left in the mode and with the random state that it had.
            tokenizer = given.get("processing_class") or given.get("tokenizer")
            asked = {"tasks": self.tasks, "name": name, **self.settings, **more}
            return ek.evaluate(given["model"], tokenizer=tokenizer, **asked)

        if self.budget is not None and self._budget is None:
            self._choose(self.budget, evaluated)

        try:
            return evaluated(name)
        except UsageError:
            if not any(Path(self.settings.get("output_path", "results")).glob(f"*/{name}/manifest.json")):
                raise
            return evaluated(f"{name}-{secrets.token_hex(2)}")  # an earlier training came to this step, too

    def _choose(self, seconds: float, evaluated: Callable[..., Any]) -> None:
        """Pick tasks and documents with the model as it is at the first look, and keep to them."""
        from evalkit.hardware import hardware

        journal = self.settings.get("journal", Path(self.settings.get("output_path", "results")) / ".journal")

        def probe(task: str, limit: int, folder: Path) -> Any:
            return evaluated(None, tasks=[task], limit=limit, output_path=folder, journal=journal).stored

        self._budget = Budget(seconds, tuple(self.tasks), self.settings, hardware(), _note, typed="budget")
        choice = self._budget.choose(probe)
        self.tasks = list(choice.tasks)
        self.settings = {**self.settings, "limit": choice.limit}

    def _verdict(self, run: Any) -> str:
        import evalkit as ek
        from evalkit.policy import Policy

        look = len(self.verdicts) + 1
        given = self.policy
        rules = given if isinstance(given, Policy) else Policy.load(given) if given is not None else Policy()
        rules = replace(rules, confidence=confidence_of_look(look, rules.confidence))
        root = self.settings.get("output_path", "results")
        self.verdicts.append(ek.gate(self.baseline, run, policy=rules, output_path=root).verdict)
        return self.verdicts[-1]

    def _log(self, state: Any, figures: Mapping[str, float]) -> None:
        if self._trainer is not None:
            plain_log(self._trainer, dict(figures))
        else:
            state.log_history.append({**figures, "step": state.global_step, "epoch": state.epoch})


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)


def _paths(given: Any) -> list[Path]:
    return [Path(path) for path in ((given,) if isinstance(given, str | Path) else given)]
