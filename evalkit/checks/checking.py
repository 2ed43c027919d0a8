"""From a spec and an answer to an outcome. Whatever raises is an error of that check, neither a pass nor a fail."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalkit.checks.kinds import KINDS
from evalkit.checks.outcome import Kind, Outcome, Params
from evalkit.checks.params import fill, find
from evalkit.checks.readings import as_it_is, past_thought
from evalkit.errors import ConfigError, EvalkitError
from evalkit.types import Program, Verdict

__all__ = ["check", "kinds", "needs_sandbox", "programs", "validate"]

Spec = Mapping[str, Any]


def kinds() -> Mapping[str, Kind]:
    """Every kind of check, by name."""
    return KINDS


def validate(spec: Spec, where: str = "checks", document: Mapping[str, Any] | None = None) -> None:
    """Raise ConfigError for what cannot judge any answer. `{"$field": …}` is looked up where a document is given."""
    fill(spec, find(spec, KINDS, where), document, where)


def needs_sandbox(spec: Spec) -> bool:
    """Whether `programs` must be run before `check`."""
    return find(spec, KINDS, "checks").programs is not None


def check(
    spec: Spec, answer: str, document: Mapping[str, Any] | None = None, verdicts: Sequence[Verdict] = ()
) -> Outcome:
    """Judge one answer by one spec. `verdicts` are those of `programs`, in its order."""
    name = str(spec.get("kind")) if isinstance(spec, Mapping) else "?"
    try:
        kind = find(spec, KINDS, "checks")
        params = fill(spec, kind, document or {}, "checks")
        if kind.programs is not None:
            return _by_verdicts(kind, params, answer, verdicts)
        # Composed and decomposed Hangul are the same text: no reader and no rule can tell them apart.
        return _by_text(kind, params, unicodedata.normalize("NFC", answer))
    except Exception as error:
        return Outcome(name, None, None, error=_say(error))


def programs(spec: Spec, answer: str, document: Mapping[str, Any] | None = None) -> tuple[Program, ...]:
    """What the sandbox is to run: nothing, one program, or the strict reading's and the loose one's."""
    try:
        kind = find(spec, KINDS, "checks")
        if kind.programs is None:
            return ()
        strict, loose = kind.programs(answer, fill(spec, kind, document or {}, "checks"))
    except Exception:
        return ()  # `check` comes upon the same trouble and says it
    return tuple(dict.fromkeys(program for program in (strict, loose) if program is not None))


def _by_text(kind: Kind, params: Params, answer: str) -> Outcome:
    complaint = kind.judge(answer, params)
    if complaint is None:
        return Outcome(kind.name, True, True)
    seen = {answer}
    for text in _readings(kind, answer, params):
        if text in seen:
            continue
        seen.add(text)
        if kind.judge(text, params) is None:
            return Outcome(kind.name, False, True, complaint)
    return Outcome(kind.name, False, False, complaint)


def _readings(kind: Kind, answer: str, params: Params) -> Iterator[str]:
    yield from kind.readings(answer, params)
    if kind.readings is not as_it_is and (said := past_thought(answer)) != answer:
        yield said
        yield from kind.readings(said, params)


def _by_verdicts(kind: Kind, params: Params, answer: str, verdicts: Sequence[Verdict]) -> Outcome:
    assert kind.programs is not None
    strict, loose = kind.programs(answer, params)
    wanted = list(dict.fromkeys(program for program in (strict, loose) if program is not None))
    if len(verdicts) != len(wanted):
        return Outcome(kind.name, None, None, error=f"{len(verdicts)} verdicts for {len(wanted)} programs")
    broken = next((v for v in verdicts if v.verdict == "sandbox_error"), None)
    if broken is not None:
        return Outcome(kind.name, None, None, error=f"sandbox: {broken.reason}")
    found = dict(zip(wanted, verdicts, strict=True))
    passed = {program for program, verdict in found.items() if verdict.verdict == "passed"}
    if strict in passed:
        return Outcome(kind.name, True, True)
    if strict is None:
        reason = kind.judge(answer, params) or "the answer holds more than the program"
    else:
        reason = f"{found[strict].verdict}: {found[strict].reason}".rstrip(": ")
    return Outcome(kind.name, False, loose in passed, reason)


def _say(error: Exception) -> str:
    text = " ".join(str(error).split())[:240]
    if isinstance(error, EvalkitError | ConfigError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
