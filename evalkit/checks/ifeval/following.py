"""Checks a response by all instructions of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.checks.ifeval.rules import follows
from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.readings import eight

__all__ = ["KINDS", "Following", "follow"]


@dataclass(frozen=True, slots=True)
class Following:
    """Whether each instruction was followed: by the response as it is, and by one of its eight readings."""

    strict: tuple[bool, ...]
    loose: tuple[bool, ...]


def follow(instructions: Sequence[str], kwargs: Sequence[Params], response: str) -> Following:
    if len(instructions) != len(kwargs) or not instructions:
        raise ValueError(f"{len(instructions)} instructions with {len(kwargs)} kwargs")
    strict = tuple(follows(name, response, arguments) for name, arguments in zip(instructions, kwargs, strict=True))
    texts = list(dict.fromkeys(eight(response)))
    loose = tuple(
        passed or any(follows(name, text, arguments) for text in texts)
        for name, arguments, passed in zip(instructions, kwargs, strict, strict=True)
    )
    return Following(strict, loose)


# ── the same as a check ──────────────────────────────────────────────────────


def _judge(answer: str, params: Params) -> Complaint:
    return None if follows(params["instruction"], answer, params["kwargs"]) else f"{params['instruction']} not followed"


def _problem(params: Params) -> str | None:
    try:
        follows(params["instruction"], "", params["kwargs"])
    except ValueError as error:
        return str(error)
    return None


KINDS = (
    Kind(
        "ifeval",
        "one of IFEval's 25 instructions",
        _judge,
        lambda answer, params: eight(answer),
        {"instruction": Param((str,)), "kwargs": Param((dict,), {})},
        _problem,
    ),
)
