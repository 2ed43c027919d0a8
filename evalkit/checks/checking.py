"""Checks an answer by a spec. An exception becomes the outcome's error: the answer neither passes nor fails."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from evalkit.checks.kinds import KINDS
from evalkit.checks.outcome import Kind, Outcome, Params, Spec
from evalkit.checks.params import fill, find
from evalkit.checks.readings import as_it_is, past_thought
from evalkit.errors import ConfigError, EvalkitError
from evalkit.types import Program, RawDocument, Verdict

__all__ = ["check", "kinds", "needs_sandbox", "programs", "validate"]


def kinds() -> Mapping[str, Kind]:
    """Every kind of check, by name."""
    return KINDS


def validate(spec: Spec, where: str = "checks", document: RawDocument | None = None) -> None:
    """Raise ConfigError if a spec is not valid. `{"$field": …}` is looked up if a document is given."""
    fill(spec, find(spec, KINDS, where), document, where)


def needs_sandbox(spec: Spec) -> bool:
    """Whether the sandbox must run `programs` before `check`."""
    return find(spec, KINDS, "checks").programs is not None


def check(spec: Spec, answer: str, document: RawDocument | None = None, verdicts: Sequence[Verdict] = ()) -> Outcome:
    """Check an answer by a spec. `verdicts`: the sandbox's verdicts on `programs`, in the same order."""
    name = str(spec.get("kind")) if isinstance(spec, Mapping) else "?"
    try:
        kind = find(spec, KINDS, "checks")
        params = fill(spec, kind, document or {}, "checks")
        if kind.programs is not None:
            return _by_verdicts(kind, params, answer, verdicts)
        # Composed and decomposed Hangul are the same text for a reader, so rules must not tell them apart.
        return _by_text(kind, params, unicodedata.normalize("NFC", answer))
    except Exception as error:
        return Outcome(name, None, None, error=_say(error))


def programs(spec: Spec, answer: str, document: RawDocument | None = None) -> tuple[Program, ...]:
    """The programs for the sandbox: none, one, or those of the strict and of the loose reading."""
    try:
        kind = find(spec, KINDS, "checks")
        if kind.programs is None:
            return ()
        strict, loose = kind.programs(answer, fill(spec, kind, document or {}, "checks"))
    except Exception:
        return ()  # `check` will raise the same error and report it
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
    if kind.readings is not as_it_is and (without_thought := past_thought(answer)) != answer:
        yield without_thought
        yield from kind.readings(without_thought, params)


def _by_verdicts(kind: Kind, params: Params, answer: str, verdicts: Sequence[Verdict]) -> Outcome:
    assert kind.programs is not None
    strict, loose = kind.programs(answer, params)
    wanted = list(dict.fromkeys(program for program in (strict, loose) if program is not None))
    if len(verdicts) != len(wanted):
        return Outcome(kind.name, None, None, error=f"{len(verdicts)} verdicts for {len(wanted)} programs")
    broken = next((v for v in verdicts if v.verdict == "sandbox_error"), None)
    if broken is not None:
        return Outcome(kind.name, None, None, error=f"sandbox: {broken.reason}")
    by_program = dict(zip(wanted, verdicts, strict=True))
    passed = {program for program, verdict in by_program.items() if verdict.verdict == "passed"}
    if strict in passed:
        return Outcome(kind.name, True, True)
    if strict is None:
        reason = kind.judge(answer, params) or "the answer holds more than the program"
    else:
        reason = f"{by_program[strict].verdict}: {by_program[strict].reason}".rstrip(": ")
    return Outcome(kind.name, False, loose in passed, reason)


def _say(error: Exception) -> str:
    text = " ".join(str(error).split())[:240]
    if isinstance(error, EvalkitError | ConfigError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
