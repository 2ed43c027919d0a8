"""A check: the answer is in capital letters."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.checks import Kind, Param
from evalkit.checks.outcome import Params


def judge(answer: str, params: Params) -> str | None:
    """Why the answer is refused; None where it passes."""
    letters = [letter for letter in answer if letter.isalpha()]
    if len(letters) < params["min_letters"]:
        return f"{len(letters)} letters, at least {params['min_letters']} are wanted"
    return None if answer.isupper() else "not in capital letters"


def readings(answer: str, params: Params) -> Iterable[str]:
    """What counts loosely: the first line alone."""
    yield answer.partition("\n")[0]


SHOUTED = Kind(
    name="shouted",
    about="in capital letters",
    judge=judge,
    readings=readings,
    params={"min_letters": Param((int,), default=1)},
)
