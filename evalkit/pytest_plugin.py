"""The pytest plug-in: a gate as a test.

    def test_model(evalkit_gate):
        evalkit_gate("base@latest", "results/my-finetune/candidate", policy="gate.yaml")

pytest loads this file in every project that has evalkit installed, so it imports nothing heavy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["CannotTellWarning", "evalkit_gate", "pytest_addoption"]

_WAYS = ("fail", "xfail", "warn")


class CannotTellWarning(UserWarning):
    """A gate that could not tell, where that is no failure."""


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "what a gate that cannot tell does to its test: fail, xfail or warn"
    group = parser.getgroup("evalkit")
    group.addoption("--evalkit-cannot-tell", choices=_WAYS, default=None, help=words)
    parser.addini("evalkit_cannot_tell", words, default="fail")


@pytest.fixture
def evalkit_gate(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Judge a candidate against its baseline: arguments as those of `evalkit.gate`. Returns the verdict on a pass."""
    config = request.config
    usual = config.getoption("--evalkit-cannot-tell") or config.getini("evalkit_cannot_tell")

    def judge(baseline: Any, candidate: Any = None, *, cannot_tell: str | None = None, **arguments: Any) -> Any:
        import evalkit

        way = cannot_tell or usual
        if way not in _WAYS:
            raise pytest.UsageError(f"evalkit_cannot_tell = {way}: one of {', '.join(_WAYS)}")
        try:
            verdict = evalkit.gate(baseline, candidate, **arguments)
        except Exception as error:
            from evalkit.errors import EvalkitError

            if isinstance(error, EvalkitError):
                pytest.fail(f"the gate could not be judged: {error}", pytrace=False)
            raise
        if verdict.verdict == "regression":
            pytest.fail(_reasons(verdict), pytrace=False)
        if verdict.verdict == "cannot_tell":
            if way == "xfail":
                pytest.xfail(_reasons(verdict))
            if way == "warn":
                warnings.warn(CannotTellWarning(_reasons(verdict)), stacklevel=2)
            else:
                pytest.fail(_reasons(verdict), pytrace=False)
        return verdict

    return judge


def _reasons(verdict: Any) -> str:
    """The verdict, then each task that is behind it with its reasons."""
    lines = [repr(verdict).splitlines()[0]]
    for task in verdict.tasks:
        if task.verdict == verdict.verdict:
            lines += [f"  {task.name}: {reason}" for reason in task.reasons]
    return "\n".join(lines)
