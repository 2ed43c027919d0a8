"""Whether two runs measured the same thing, and if not, what differs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from evalkit.errors import NotComparable, UsageError, nearest
from evalkit.results import ChatTemplateInfo, Run, TaskResult, TaskSettings

__all__ = ["KINDS", "Difference", "check", "check_allowed", "differences", "limits_differ", "prompts_may_differ"]

KINDS = ("version", "prompts", "shots", "chat_template", "generation", "data", "limit", "tasks", "judge")
"""What may be named as the difference that is meant. limit and tasks: the candidate covers less than the baseline."""

_CHANGES_PROMPTS = {"version", "prompts", "shots", "chat_template", "data"}


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    task: str | None
    """None: it holds for the whole run."""
    baseline: str
    candidate: str
    what: str = ""

    def __str__(self) -> str:
        where = f" of {self.task}" if self.task else ""
        what = f" ({self.what})" if self.what else ""
        return f"{self.kind}{where}{what}: {self.baseline} → {self.candidate}"


def check_allowed(allow: Iterable[str]) -> frozenset[str]:
    """The kinds of difference that the user means, or an error that names the nearest."""
    names = {name.strip().replace("-", "_") for name in allow if name.strip()}
    for name in sorted(names):
        if name not in KINDS:
            hint = nearest(name, KINDS, n=1) or f"; known are {', '.join(KINDS)}"
            raise UsageError(f"--allow {name}: no such difference{hint}")
    return frozenset(names)


def prompts_may_differ(allow: Collection[str]) -> bool:
    return bool(_CHANGES_PROMPTS & set(allow))


def limits_differ(baseline: Run, candidate: Run) -> bool:
    """A run may say that it is limited and not to how many."""
    here, there = ((run.record.manifest.limit, run.status == "limited") for run in (baseline, candidate))
    return bool(here != there)


def check(
    baseline: Run, candidate: Run, leaves: Iterable[str], allow: Collection[str], *, advice: str | None = None
) -> list[str]:
    """Refuse runs that measured different things; return a note for each difference that is meant.

    `advice`: what to do about it where there is no --allow.
    """
    different = differences(baseline, candidate, leaves)
    refused = [d for d in different if not _covered(d, allow)]
    if refused:
        kinds = list(dict.fromkeys(d.kind for d in refused))
        if prompts_may_differ([kind for kind in kinds if kind != "prompts"]):
            kinds = [kind for kind in kinds if kind != "prompts"]  # they differ because of it
        lines = "\n".join(f"  {line}" for line in _summed(refused))
        raise NotComparable(
            f"{candidate.run_id} and {baseline.run_id} measured different things:\n{lines}\n"
            + (advice or f"If that is what you changed on purpose, type --allow {','.join(kinds)}")
        )
    return [f"differs on purpose: {line}" for line in _summed(different)]


def _covered(difference: Difference, allow: Collection[str]) -> bool:
    return difference.kind in allow or (difference.kind == "prompts" and prompts_may_differ(allow))


def differences(baseline: Run, candidate: Run, leaves: Iterable[str]) -> list[Difference]:
    """All that is known of both runs and not the same. What only one of them knows is no difference."""
    different = _chat(baseline, candidate)
    # Hashes over all documents of a task differ where one run took fewer; the rows' own hashes then decide.
    same_documents = not limits_differ(baseline, candidate)
    for leaf in leaves:
        here, there = _task(baseline, leaf), _task(candidate, leaf)
        here_only = _differ(leaf, here, there, "version", "version")
        here_only += _differ(leaf, here, there, "shots", "num_fewshot")
        here_only += _differ(leaf, here, there, "version", "output_type", "output type")
        here_only += _differ(leaf, here, there, "generation", "generation")
        if same_documents:
            here_only += _differ(leaf, here, there, "data", "data_hash")
            here_only += _differ(leaf, here, there, "prompts", "prompts_hash")
        if not here_only:
            here_only = _differ(leaf, here, there, "version", "config_hash", "same version, other configuration")
        different += here_only
    return different


def _chat(baseline: Run, candidate: Run) -> list[Difference]:
    here, there = (run.record.manifest.chat_template or ChatTemplateInfo() for run in (baseline, candidate))
    different = _differ(None, here, there, "chat_template", "applied", "applied")
    if not different and here.applied:
        different += _differ(None, here, there, "chat_template", "hash")
        different += _differ(None, here, there, "chat_template", "fewshot_as_multiturn", "few-shot as turns")
    if here.states("system_instruction") and there.states("system_instruction"):
        mine, theirs = here.system_instruction or "", there.system_instruction or ""
        if mine != theirs:
            different.append(Difference("prompts", None, _text(mine), _text(theirs), "system instruction"))
    return different


def _differ(
    task: str | None,
    a: TaskSettings | ChatTemplateInfo,
    b: TaskSettings | ChatTemplateInfo,
    kind: str,
    key: str,
    what: str = "",
) -> list[Difference]:
    mine, theirs = getattr(a, key), getattr(b, key)
    if mine is None or theirs is None or _same(mine, theirs):
        return []
    most = 12 if key.endswith("hash") else 60
    return [Difference(kind, task, _text(mine, most), _text(theirs, most), what)]


def _same(mine: Any, theirs: Any) -> bool:
    if mine == theirs:
        return True
    try:
        return float(mine) == float(theirs)  # a version of 3, 3.0 or "3"
    except (OverflowError, TypeError, ValueError):
        return str(mine) == str(theirs)


def _task(run: Run, leaf: str) -> TaskSettings:
    """The manifest's facts of a task; where it has none, those that results.json repeats."""
    settings = run.record.manifest.tasks.get(leaf, TaskSettings())
    figures = run.record.results.tasks.get(leaf, TaskResult())
    return settings.model_copy(
        update={key: getattr(figures, key) for key in ("version", "num_fewshot") if not settings.states(key)}
    )


def _summed(different: Iterable[Difference]) -> list[str]:
    """One line for what fifty-seven subjects have in common."""
    kinds: dict[tuple[str, str], list[Difference]] = {}
    for difference in different:
        kinds.setdefault((difference.kind, difference.what), []).append(difference)
    return [
        f"{alike[0]}" + (f" (and {len(alike) - 1} more tasks)" if len(alike) > 1 else "") for alike in kinds.values()
    ]


def _text(value: Any, most: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= most else text[: most - 1] + "…"
