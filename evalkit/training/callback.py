"""A callback for transformers' Trainer and TRL: evaluates the model that is being trained, between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from evalkit.errors import UsageError
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
        self._trainer: Any = None

    def add_to(self, trainer: Any) -> None:
        """Add this callback to a trainer, whose log then gets the figures, and with it W&B, MLflow and others."""
        self._trainer = trainer
        trainer.add_callback(self)

    # ── what the trainer calls ───────────────────────────────────────────────

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
        if not state.is_world_process_zero:
            return control
        import evalkit as ek

        began = time.monotonic()
        # A model in memory is left in the mode and with the random state that it had.
        run = ek.evaluate(
            given["model"],
            tokenizer=given.get("processing_class") or given.get("tokenizer"),
            tasks=self.tasks,
            name=f"{self.name}-step-{state.global_step}",
            **self.settings,
        )
        self.seconds.append(time.monotonic() - began)
        self.runs.append(run)
        self._log(state, {f"eval/{name}": value for name, value in scalars(run.stored).items()})
        if self.baseline is not None and self._verdict(run) == "regression" and self.stop_on == "regression":
            control.should_training_stop = True
        return control

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
            self._trainer.log(dict(figures))
        else:
            state.log_history.append({**figures, "step": state.global_step, "epoch": state.epoch})
