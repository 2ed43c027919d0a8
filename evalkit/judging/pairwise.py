"""Comparisons of two answers: preferences from 0 (the other answer) to 1 (ours), and the win rate."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import ConfigError
from evalkit.judging.records import read_objects
from evalkit.judging.reports import LengthEffect
from evalkit.stats import clustered_mean, wilson
from evalkit.types import JsonObject

__all__ = [
    "Comparison",
    "WinRate",
    "alpaca_order",
    "length_dependence",
    "preference_for_second",
    "read_comparisons",
    "win_rate",
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers as a judge saw them once. `preference` is for the answer of `system`; None has a reason."""

    item: str
    system: str
    against: str
    preference: float | None
    system_first: bool | None = None
    length: int | None = None
    other_length: int | None = None
    same: bool = False
    group: str | None = None
    reason: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class WinRate:
    """In [0, 1]. `discrete` counts each comparison as a win, a loss, or half a win."""

    value: float
    stderr: float | None
    ci95: tuple[float, float] | None
    n: int
    missing: int
    wins: int
    losses: int
    draws: int
    discrete: float


def preference_for_second(
    top_logprobs: Mapping[str, float] | Iterable[tuple[str, float]], first: str = "m", second: str = "M"
) -> float | None:
    """The probability of the second label relative to both, as in AlpacaEval 2: only the tokens `m` and `M` count.

    None if neither is among the likely tokens. evalkit's own judges read all spellings of a label (`logprobs`).
    """
    tops = dict(top_logprobs)
    p, q = (math.exp(tops[name]) if name in tops else 0.0 for name in (first, second))
    return 1.0 - p / (p + q) if p + q > 0 else None


def alpaca_order(instruction: str, seed: int = 0) -> bool:
    """Whether AlpacaEval showed the two outputs in swapped order. The order is random with the instruction as seed."""
    return random.Random(f"is_switched_outputs{instruction}{seed}").choices([False, True], k=1)[0]


def win_rate(comparisons: Sequence[Comparison]) -> WinRate:
    """The mean preference with its standard error, clustered if a group was compared several times."""
    if not comparisons:
        raise ConfigError("no comparison to count")
    preferred = [c for c in comparisons if c.preference is not None]
    values = [float(c.preference) for c in preferred if c.preference is not None]
    wins, losses = sum(v > 0.5 for v in values), sum(v < 0.5 for v in values)
    draws = len(values) - wins - losses
    missing = len(comparisons) - len(preferred)
    if not values:
        return WinRate(math.nan, None, None, 0, missing, 0, 0, 0, math.nan)
    named = [c.group for c in preferred if c.group is not None]
    repeated = len(set(named)) < len(named)
    mean = clustered_mean(values, clusters=np.array([c.group for c in preferred], object) if repeated else None)
    stderr = mean.stderr if math.isfinite(mean.stderr) else None
    interval = None
    if stderr is not None:
        # If all are equal, there is no spread to compute an interval from.
        bounds = mean.interval(0.95) if mean.stderr > 0 else wilson(round(mean.value * len(values)), len(values))
        interval = (max(bounds.low, 0.0), min(bounds.high, 1.0))
    discrete = (wins + draws / 2) / len(values)
    return WinRate(mean.value, stderr, interval, len(values), missing, wins, losses, draws, discrete)


def length_dependence(comparisons: Sequence[Comparison]) -> LengthEffect:
    """How preferences depend on which answer is longer."""
    from evalkit.judging.agreement import pearson, spearman

    pairs = [
        (float(c.preference), c.length - c.other_length)
        for c in comparisons
        if c.preference is not None and c.length is not None and c.other_length is not None and not c.same
    ]
    if len(pairs) < 3:
        return {"n": len(pairs), "pearson": None, "spearman": None, "reason": "lengths are not pairs"}
    preferences = [preference for preference, _ in pairs]
    # A log ratio would leave out empty answers. AlpacaEval's model uses the difference too.
    differences = [difference for _, difference in pairs]
    longer = [p for p, d in pairs if d > 0]
    shorter = [p for p, d in pairs if d < 0]
    return {
        "n": len(pairs),
        "pearson": _finite(pearson(differences, preferences)),
        "spearman": _finite(spearman(differences, preferences)),
        "win_rate_longer": math.fsum(longer) / len(longer) if longer else None,
        "win_rate_shorter": math.fsum(shorter) / len(shorter) if shorter else None,
        "longer": len(longer),
        "shorter": len(shorter),
    }


def read_comparisons(path: Path) -> list[Comparison]:
    """Our own rows (`preference`, `system_first`, …) or AlpacaEval's annotations; .gz is opened too."""
    comparisons: list[Comparison] = []
    for number, row in read_objects(path, "--judgments"):
        where = f"--judgments {path}:{number}"
        try:
            if "generator_2" in row:
                read = [_from_alpaca(row, where, path.name.partition(".")[0])]
            else:
                read = _from_ours(row, where)
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"{where} is no comparison ({str(error)[:200]})") from None
        wrong = next((c.preference for c in read if c.preference is not None and not 0 <= c.preference <= 1), None)
        if wrong is not None:
            raise ConfigError(f"{where}: a preference of {wrong:g}; it lies between 0 and 1 (AlpacaEval's from 1 to 2)")
        comparisons += read
    if not comparisons:
        raise ConfigError(f"--judgments {path} holds no comparison")
    return comparisons


def _from_alpaca(row: JsonObject, where: str, file: str) -> Comparison:
    """In AlpacaEval, preference 1 is the reference and 2 the model. Log-probabilities are used if there are any."""
    try:
        instruction, swapped = str(row["instruction"]), alpaca_order(str(row["instruction"]))
    except KeyError as key:
        raise ConfigError(f"{where}: no {key} in an AlpacaEval annotation") from None
    outputs = [row.get("output_1"), row.get("output_2")]
    same = bool(row.get("same_output", outputs[0] is not None and outputs[0] == outputs[1]))
    preference: float | None
    if same:
        preference = 0.5
    elif row.get("top_logprobs"):
        second = preference_for_second(row["top_logprobs"])
        preference = None if second is None else (1 - second if swapped else second)
    else:
        stated = row.get("preference")
        preference = None if stated is None else float(stated) - 1
    return Comparison(
        item=instruction,
        # `example` is what AlpacaEval calls outputs that were handed in without a name.
        system=file if row["generator_2"] == "example" else str(row["generator_2"]),
        against=str(row.get("generator_1", "reference")),
        preference=preference,
        system_first=swapped,
        length=_length(row.get("len_2"), outputs[1]),
        other_length=_length(row.get("len_1"), outputs[0]),
        same=same,
        reason=None if preference is not None else "neither label among the log-probabilities",
        answer=outputs[1] if isinstance(outputs[1], str) else None,
    )


def _from_ours(row: JsonObject, where: str) -> list[Comparison]:
    """One comparison for each recorded order of the two answers."""
    if "preference" not in row:
        raise ConfigError(f"{where}: neither a comparison (no `preference`) nor an AlpacaEval annotation")
    orders = row.get("orders") or [row]
    return [
        Comparison(
            item=str(row.get("group") or row.get("item", "")),
            system=str(row.get("system", "")),
            against=str(row.get("against", "")),
            preference=None if order.get("preference") is None else float(order["preference"]),
            system_first=None if order.get("system_first") is None else bool(order["system_first"]),
            length=_length(row.get("length"), row.get("answer")),
            other_length=_length(row.get("other_length"), None),
            same=bool(row.get("same", False)),
            # Both orders of an item are one observation.
            group=str(row.get("group") or row.get("item", "")),
            reason=None if order.get("reason") is None else str(order["reason"]),
            answer=row["answer"] if isinstance(row.get("answer"), str) else None,
        )
        for order in orders
    ]


def _length(stated: Any, output: Any) -> int | None:
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated
    return len(output) if isinstance(output, str) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
