"""A callback for transformers' Trainer and TRL: evaluates the model that is being trained, between two steps."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import CouldNotDo, UsageError
from evalkit.training.ranks import all_ranks_hear, plain_log, refuse_sharded
from evalkit.training.spending import confidence_of_look
from evalkit.training.watching import scalars

__all__ = ["EvalkitCallback"]


class EvalkitCallback:
    """Evaluates on each save, or every `steps` steps, the model as it is in memory: no copy, no checkpoint is read.

        callback = EvalkitCallback(tasks=["gsm8k"], limit=100)
        callback.add_to(trainer)          # figures go into the trainer's log: eval/gsm8k/exact_match

    `trainer = Trainer(…, callbacks=[callback])` works too; figures then stand in `trainer.state.log_history` alone.
    Whatever else `evalkit.evaluate` takes may be given as keyword arguments. Training goes on as if nothing had
    happened: the mode of each module and the random state are as before.
    """

    def __init__(
        self,
        tasks: str | Sequence[str],
        *,
        steps: int | None = None,
        name: str = "training",
        baseline: Any = None,
        policy: Any = None,
        stop_on: Literal["regression"] | None = None,
        **settings: Any,
    ) -> None:
        """`stop_on="regression"`: end the training once the gate is sure of one against `baseline`."""
        if stop_on not in (None, "regression"):
            raise UsageError(f"stop_on={stop_on!r}: 'regression' or None is wanted")
        if baseline is None and (stop_on or policy is not None):
            raise UsageError("stop_on and policy need baseline=RUN: against what is the model a regression?")
        if steps is not None and steps < 1:
            raise UsageError(f"steps={steps}: must be 1 or more")
        self.tasks = [tasks] if isinstance(tasks, str) else list(tasks)
        self.steps = steps
        self.name = name
        self.baseline = baseline
        self.policy = policy
        self.stop_on = stop_on
        self.settings = settings
        self.runs: list[Any] = []
        self.verdicts: list[str] = []
        self.seconds: list[float] = []
        """What each evaluation took."""
        self.problems: list[str] = []
        """Looks that could not be done, on a full disk for one: training went on without them."""
        self._trainer: Any = None

    def add_to(self, trainer: Any) -> None:
        """Add this callback to a trainer, whose log then gets the figures, and with it W&B, MLflow and others."""
        self._trainer = trainer
        trainer.add_callback(self)

    # ── what the trainer calls ───────────────────────────────────────────────

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        from evalkit.registry import Registry

        Registry(_paths(self.settings.get("include_path", ()))).refuse_unknown(self.tasks)
        return control

    def on_save(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        return control if self.steps is not None else self._look(state, control, given)

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> Any:
        due = self.steps is not None and state.global_step % self.steps == 0
        return self._look(state, control, given) if due else control

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A trainer calls every event that it knows; the others mean nothing here."""
        if name.startswith("on_"):
            return lambda args, state, control, **given: control
        raise AttributeError(name)

    # ── a look at the model ──────────────────────────────────────────────────

    def _look(self, state: Any, control: Any, given: Mapping[str, Any]) -> Any:
        stop = False
        if state.is_world_process_zero:
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
            self.problems.append(f"step {state.global_step}: {error}")
            warnings.warn(f"evalkit: {self.problems[-1]}; training goes on", stacklevel=2)
            return False
        self.seconds.append(time.monotonic() - began)
        self.runs.append(run)
        self._log(state, {f"eval/{name}": value for name, value in scalars(run.stored).items()})
        return self.baseline is not None and self._verdict(run) == "regression" and self.stop_on is not None

    def _run(self, name: str, given: Mapping[str, Any]) -> Any:
        import evalkit as ek

        def evaluated(name: str) -> Any:
            # A model in memory is left in the mode and with the random state that it had.
            tokenizer = given.get("processing_class") or given.get("tokenizer")
            return ek.evaluate(given["model"], tokenizer=tokenizer, tasks=self.tasks, name=name, **self.settings)

        try:
            return evaluated(name)
        except UsageError:
            if not any(Path(self.settings.get("output_path", "results")).glob(f"*/{name}/manifest.json")):
                raise
            return evaluated(f"{name}-{secrets.token_hex(2)}")  # an earlier training came to this step, too

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


def _paths(given: Any) -> list[Path]:
    return [Path(path) for path in ((given,) if isinstance(given, str | Path) else given)]
