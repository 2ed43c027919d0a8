"""Explains an error of vLLM in one line, with a remedy.

vLLM's exception often only says that the root cause is above in the log, so the end of the log is read too.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["explain", "misunderstood"]

_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|No available memory for the cache blocks|can't allocate memory"
    r"|is larger than the available KV cache memory|less than desired (?:GPU|CPU) memory utilization"
    r"|Cannot allocate memory|not enough memory|larger than the (?:maximum|available) .{0,40}KV cache"
    r"|is less than requested memory|MemoryError|could not create a (?:primitive|memory)",
    re.IGNORECASE,
)
_FITTING_LENGTH = re.compile(r"estimated maximum model length is (\d+)")
_ERROR = re.compile(r"\b((?:[A-Za-z_][\w.]*)?(?:Error|Exception|Interrupt))\b: *(.+)")
_PREFIX = re.compile(r"^.*?(?:ERROR|CRITICAL) [\d\-: .]+\[[^\]]*\] *")
_VALIDATION = re.compile(r"^(?:Value error|Assertion failed), ")
_AROUND = re.compile(
    r"^Refused: |^ValidationError: \d+ validation errors? for \w+\s+(?:Value error, )?|\s*\[type=\w+, input_.*$",
    re.DOTALL,
)
_EMPTY_WORDS = re.compile(r"Engine core initialization failed|EngineDeadError|See root cause|see (?:the )?stack trace")


def explain(model: str, ending: str, log: str = "") -> str:
    """The message for the user. `ending`: the error raised, or how the process ended; `log`: the end of its output."""
    cause = _cause(ending, log)
    both = f"{ending}\n{log}"
    if "invalid because" not in cause and _MEMORY.search(cause if cause != ending else both):
        length = _FITTING_LENGTH.search(both)
        smaller = f"max_model_len={length.group(1)}" if length else "max_model_len=2048"
        return (
            f"{model} does not fit: {_short(cause)}. What would help: a smaller length (--model-args {smaller}), "
            "more GPUs (--model-args tensor_parallel_size=2), or quantization (--model-args quantization=fp8)"
        )
    return f"vLLM cannot run {model}: {_short(cause)}"


def misunderstood(error: Exception, typed: Collection[str]) -> str | None:
    """vLLM's complaint about an argument that the user typed; None if the error is another one."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ != "ValidationError" or not callable(errors):
        return None
    for details in errors():
        place, says = details.get("loc") or (None,), _VALIDATION.sub("", str(details.get("msg")))
        if place[0] in typed:
            return f"--model-args {place[0]}={details.get('input')}: {_short(says)}"
        if any(re.search(rf"\b{re.escape(name)}\b", says) for name in typed):
            return f"--model-args: {_short(says)}"
    return None


def _cause(ending: str, log: str) -> str:
    """The cause of the error: from the log if `ending` says nothing specific."""
    if ending and not _EMPTY_WORDS.search(ending) and not ending.startswith("the process"):
        return ending
    named: list[str] = []
    for line in log.splitlines():
        match = _ERROR.search(_PREFIX.sub("", line))
        if match and not _EMPTY_WORDS.search(line):
            named.append(match.group(2) if len(match.group(2)) > 20 else match.group(0))
    memory = [line for line in named if _MEMORY.search(line)]
    if memory:
        return memory[-1]
    # The first error is the cause; later ones come from processes that waited for the failed one.
    return f"{named[0]} ({ending})" if named and ending.startswith("the process") else (named or [ending])[0]


def _short(text: str) -> str:
    # Cut vLLM's advice off, which would repeat ours in other words.
    line = " ".join(_AROUND.sub("", text).split()).split(" Try increasing ")[0].rstrip(".")
    return line if len(line) <= 300 else line[:297] + "..."
