"""Whether a candidate is worse than its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from evalkit import gating, safe
from evalkit.api.definitions import GateArguments
from evalkit.api.github import hand_to_github
from evalkit.api.labels import read_labels_of
from evalkit.api.output import as_html_table, write_all
from evalkit.api.policies import PolicyLike, as_policy
from evalkit.api.runs import Run, RunLike, load, opened
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.reporting import gate_view

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GateVerdict", "gate"]


@dataclass(frozen=True, eq=False, repr=False)
class GateVerdict:
    """What the gate says of a candidate, and why."""

    result: gating.GateResult

    @property
    def verdict(self) -> Literal["pass", "regression", "cannot_tell"]:
        return self.result.verdict

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"

    @property
    def exit_code(self) -> int:
        """What the command line exits with: 0 pass, 1 regression, 3 cannot tell."""
        return self.result.exit_code

    @property
    def tasks(self) -> tuple[gating.TaskVerdict, ...]:
        return self.result.tasks

    @property
    def notes(self) -> tuple[str, ...]:
        return self.result.notes

    def frame(self) -> pd.DataFrame:
        """One row for each task that was judged."""
        import pandas as pd

        rows = [
            {
                "task": task.name,
                "verdict": task.verdict,
                "tier": task.tier,
                "metric": task.metric,
                "baseline": task.baseline,
                "candidate": task.candidate,
                "delta": task.delta,
                "low": None if task.ci95 is None else task.ci95[0],
                "high": None if task.ci95 is None else task.ci95[1],
                "max_drop": task.max_drop.typed,
                "lost": task.lost,
                "gained": task.gained,
                "n": task.n,
                "needed_n": task.needed_n,
                "p_holm": task.p_holm,
                "reason": "; ".join(task.reasons),
            }
            for task in self.tasks
        ]
        return pd.DataFrame(rows)

    def markdown(self) -> str:
        """The verdict, a table and the reasons, fit for a pull-request comment."""
        return gate_view.as_markdown(self.result)

    def json(self) -> str:
        return gate_view.as_json(self.result)

    def junit(self) -> str:
        return gate_view.as_junit(self.result)

    def show(self) -> None:
        """Print it as the command line does."""
        gate_view.show(self.result)

    def __repr__(self) -> str:
        frame = self.frame()[["task", "verdict", "metric", "baseline", "candidate", "delta", "n"]]
        return safe.terminal(f"{gate_view.headline(self.result)}\n{frame.to_string(index=False, na_rep='')}")

    def _repr_html_(self) -> str:
        frame = self.frame().drop(columns=["tier", "needed_n", "p_holm"])
        return as_html_table(gate_view.headline(self.result), frame, self.notes)


@overload
def gate(
    baseline: RunLike,
    candidate: RunLike | None = None,
    *,
    output_path: str | Path = "results",
    policy: PolicyLike | None = None,
    noise: RunLike | None = None,
    allow: str | Sequence[str] = (),
    labels: str | Path | None = None,
    bless: None = None,
    json: str | Path | None = None,
    junit: str | Path | None = None,
    markdown: str | Path | None = None,
    github: bool = False,
) -> GateVerdict: ...


@overload
def gate(*, bless: RunLike, output_path: str | Path = "results") -> Run: ...


def gate(
    baseline: RunLike | None = None,
    candidate: RunLike | None = None,
    *,
    output_path: str | Path = "results",
    policy: PolicyLike | None = None,
    noise: RunLike | None = None,
    allow: str | Sequence[str] = (),
    labels: str | Path | None = None,
    bless: RunLike | None = None,
    json: str | Path | None = None,
    junit: str | Path | None = None,
    markdown: str | Path | None = None,
    github: bool = False,
) -> GateVerdict | Run:
    """Say whether a candidate is worse than its baseline: pass, regression or cannot tell.

    With one run, the baseline is `@baseline`. `bless=RUN` makes that run the baseline instead, and returns it.
    """
    asked = from_call(GateArguments, locals())
    if asked.bless is not None:
        if baseline is not None:
            raise UsageError("--bless RUN stands alone: it names the baseline and judges nothing")
        run = load(asked.bless, asked.output_path)
        run.bless(asked.output_path)
        return run
    if baseline is None:
        raise UsageError("two runs are judged: evalkit gate BASELINE CANDIDATE (or CANDIDATE, against @baseline)")
    pair = ("@baseline", baseline) if candidate is None else (baseline, candidate)
    rules = as_policy(asked.policy)
    here, there = (opened(ref, asked.output_path) for ref in pair)
    again = None if asked.noise is None else opened(asked.noise, asked.output_path)
    verdict = GateVerdict(
        gating.gate(here, there, rules, noise=again, allow=asked.allow, labels=read_labels_of(asked.labels))
    )
    write_all((asked.json, verdict.json), (asked.junit, verdict.junit), (asked.markdown, verdict.markdown))
    if asked.github:
        hand_to_github(verdict.result)
    return verdict
